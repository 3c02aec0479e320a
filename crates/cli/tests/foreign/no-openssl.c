/*
 * Preloaded into PhantomJS 1.9.8, which looks for OpenSSL when it starts and
 * crashes on today's. With these lines it finds none and goes on without TLS.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

void *dlopen(const char *name, int flags)
{
    void *(*next)(const char *, int) =
        (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");

    /* The real dlopen is asked for a name that does not exist, so that
     * dlerror() has something to say. */
    if (name != NULL && (strstr(name, "libssl") || strstr(name, "libcrypto")))
        name = "/nonexistent/openssl-is-hidden";
    return next(name, flags);
}
