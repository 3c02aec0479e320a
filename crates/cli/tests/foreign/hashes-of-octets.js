'use strict';
// Before Node 6 a string given to a hash was octets, one a character. Packages
// of then count on it: loaded before one of them, this file gives it back.

const crypto = require('crypto');

const createHash = crypto.createHash;
crypto.createHash = (...args) => {
  const hash = createHash(...args);
  const update = hash.update;
  hash.update = (data, encoding) => update.call(hash, data, encoding || 'latin1');
  return hash;
};
