/* uWebSockets as an echo server, or with `--broadcast` as one that sends each
   message to all. It is the library itself, a shared object that the Python
   package socketify carries, called through its C interface: one plain call for
   each message stands between, and libuv's loop in place of its own epoll. No
   Python runs. What is declared here is what of that interface is used, as
   socketify 0.0.31 declares it. Prints its address, and ends with its input. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct uws_app uws_app;
typedef struct uws_websocket uws_websocket;
typedef struct us_listen_socket us_listen_socket;

typedef struct {
    const char *key, *certificate, *passphrase, *dh_parameters, *ca, *ciphers;
    int prefer_low_memory;
} us_socket_context_options;

typedef struct {
    int port;
    const char *host;
    int options;
} uws_listen_config;

typedef struct {
    int compression; /* 0: none */
    unsigned int max_payload;
    unsigned short idle_timeout; /* seconds, 0: none */
    unsigned int max_backpressure;
    bool close_on_backpressure, reset_idle_timeout_on_send, send_pings;
    unsigned short max_lifetime;
    void *upgrade;
    void (*open)(uws_websocket *, void *);
    void (*message)(uws_websocket *, const char *, size_t, int, void *);
    void *drain, *ping, *pong, *close, *subscription;
} uws_socket_behavior;

uws_app *uws_create_app(int tls, us_socket_context_options);
void uws_ws(int tls, uws_app *, const char *pattern, uws_socket_behavior, void *);
void uws_app_listen_with_config(int tls, uws_app *, uws_listen_config,
    void (*)(us_listen_socket *, uws_listen_config, void *), void *);
void uws_app_run(int tls, uws_app *);
int us_socket_local_port(int tls, us_listen_socket *);
int uws_ws_send(int tls, uws_websocket *, const char *, size_t, int opcode);
bool uws_ws_subscribe(int tls, uws_websocket *, const char *topic, size_t);
bool uws_publish(int tls, uws_app *, const char *topic, size_t, const char *, size_t,
    int opcode, bool compress);

static uws_app *app;

static void echo(uws_websocket *ws, const char *octets, size_t count, int opcode, void *data)
{
    uws_ws_send(0, ws, octets, count, opcode);
}

static void subscribe(uws_websocket *ws, void *data)
{
    uws_ws_subscribe(0, ws, "all", 3);
}

static void publish(uws_websocket *ws, const char *octets, size_t count, int opcode, void *data)
{
    uws_publish(0, app, "all", 3, octets, count, opcode, false);
}

static void listening(us_listen_socket *listener, uws_listen_config config, void *data)
{
    if (!listener) {
        fputs("error: no port to listen on\n", stderr);
        exit(1);
    }
    printf("127.0.0.1:%d\n", us_socket_local_port(0, listener));
    fflush(stdout);
}

static void *until_input_ends(void *data)
{
    char octets[64];
    while (read(0, octets, sizeof octets) > 0) {
    }
    exit(0);
}

int main(int argc, char **argv)
{
    bool broadcast = argc > 1 && !strcmp(argv[1], "--broadcast");
    pthread_t waiting;
    pthread_create(&waiting, NULL, until_input_ends, NULL);

    app = uws_create_app(0, (us_socket_context_options) { 0 });
    uws_ws(0, app, "/*", (uws_socket_behavior) {
        .max_payload = 64 << 20,
        .max_backpressure = 1 << 30, /* nothing is dropped */
        .open = broadcast ? subscribe : NULL,
        .message = broadcast ? publish : echo,
    }, NULL);
    uws_app_listen_with_config(0, app, (uws_listen_config) { 0, "127.0.0.1", 0 }, listening, NULL);
    uws_app_run(0, app);
    return 1; /* it runs until it is ended */
}
