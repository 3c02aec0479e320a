"""The Autobahn cases for hybi-13, by the PyPI package kosoku.

    autobahn.py ws://HOST:PORT/PATH --cases 1.*,2.*     judges an echo server
    autobahn.py --serve --cases 1.*,2.*                 judges a client

The last line of stdout is one JSON object:

    {"cases": {"1.1.1": {"behavior": "OK", "close": "OK"}, ...},
     "count": {"OK": 243, "NON-STRICT": 4, ...},
     "failed": {"5.1": "Actual events differ from any expected. ..."}}

With --serve the first line is `PORT n`. The client under test asks
/getCaseCount (one text message: the number), then for N = 1, 2, ... opens
/runCase?case=N&agent=NAME, echoes every message as the type it came in until
the connection ends, and opens /updateReports?agent=NAME last, which ends the
run. Exit code 0: no case failed; 1: some did; 2: usage; 3: no end in
120 s, or as --patience says.
"""

import argparse
import asyncio
import collections
import json
import os
import sys

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver

PATIENCE = 120  # seconds


async def judge_server(url, cases):
    return await run_fuzzingclient(url, cases)


async def judge_client(cases):
    async with run_fuzzingserver(cases, host="127.0.0.1", port=0) as server:
        print(f"PORT {server.port}", flush=True)
        return await server.get_result()


def summary(results):
    return {
        "cases": {
            case.case_id: {
                "behavior": case.behavior.value,
                "close": case.behavior_close.value,
            }
            for case in results
        },
        "count": collections.Counter(case.behavior.value for case in results),
        "failed": {
            case.case_id: f"{case.result} {case.result_close}"
            for case in results
            if not case.passed
        },
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?", help="echo server to judge")
    parser.add_argument("--serve", action="store_true", help="judge a client instead")
    parser.add_argument("--cases", required=True, help="globs, with commas between")
    parser.add_argument("--patience", type=int, default=PATIENCE, help="seconds")
    options = parser.parse_args()
    if (options.url is None) != options.serve:
        parser.error("give a URL or --serve, not both")
    cases = options.cases.split(",")
    run = judge_client(cases) if options.serve else judge_server(options.url, cases)
    try:
        results = asyncio.run(asyncio.wait_for(run, options.patience))
    except FailureError as failure:
        results = failure.results
    except asyncio.TimeoutError:
        print(f"the cases did not end in {options.patience} s", file=sys.stderr)
        sys.exit(3)
    if not results:
        print("no case ran", file=sys.stderr)
        sys.exit(1)
    verdict = summary(results)
    print(json.dumps(verdict), flush=True)
    # Not sys.exit(): kosoku's threads outlive the interpreter, and now and then
    # one of them aborts the process while it is taken down.
    os._exit(1 if verdict["failed"] else 0)


if __name__ == "__main__":
    main()
