// Signs the claims of its second argument with npm's jsonwebtoken, by the
// algorithm of its first; the key is that of its third, a file for RS256.
// Prints the token.
'use strict';

const { readFileSync } = require('fs');
const { sign } = require('jsonwebtoken');

const [algorithm, claims, key] = process.argv.slice(2);
const secret = algorithm === 'RS256' ? readFileSync(key) : key;
console.log(sign(JSON.parse(claims), secret, { algorithm, keyid: 'now' }));
