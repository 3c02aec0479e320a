// PhantomJS as a WebSocket client that only listens: several sockets of one
// page come again and again, until nobody answers at the URL any more. It asks
// for a subprotocol, so that an answer without one is one that it must refuse.

var system = require('system');
var page = require('webpage').create();

page.onError = function (message) {
  console.log('error in the page: ' + message);
  phantom.exit(1);
};
page.onCallback = function () { phantom.exit(0); };
page.content = '<html></html>';
page.evaluate(function (url, sockets) {
  function come(failures) {
    if (failures > 30) {
      return window.callPhantom();
    }
    var opened = false;
    var socket = new WebSocket(url, 'x');
    socket.onopen = function () { opened = true; };
    socket.onclose = function () {
      setTimeout(function () { come(opened ? 0 : failures + 1); }, 0);
    };
  }
  while (sockets--) {
    come(0);
  }
}, system.args[1], 16);
