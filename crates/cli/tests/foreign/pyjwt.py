"""Signs the claims of its second argument with PyJWT, by the algorithm of its
first with the secret of its third, and prints the token."""

import json
import sys

import jwt

algorithm, claims, secret = sys.argv[1:]
key = None if algorithm == "none" else secret
print(jwt.encode(json.loads(claims), key, algorithm=algorithm))
