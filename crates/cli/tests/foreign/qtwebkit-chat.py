#!/usr/bin/python3
"""A person at the chat page in QtWebKit 5.212, a WebKit of 2016: hybi-13.

qtwebkit-chat.py PAGE SAY EXPECT SCREENSHOT

As phantom-chat.js: waits until #state is OPEN and the gateway has greeted the
page, and prints {"event":"open","draft":…}. When the line "go" arrives on
stdin, types SAY into #message and clicks #send; when an entry of #log holds
EXPECT, prints {"event":"message","entry":…}, saves the screenshot and ends.
Exit code 0: all of it happened; 2: usage; 3: it did not in 60 s.
"""

import json
import os
import re
import sys

from PyQt5.QtCore import QSize, QSocketNotifier, QTimer, QUrl
from PyQt5.QtGui import QImage, QPainter
from PyQt5.QtWebKitWidgets import QWebPage
from PyQt5.QtWidgets import QApplication

DRAFT = """
(function () {
  var draft = document.getElementById('draft').textContent;
  var open = document.getElementById('state').textContent === 'OPEN';
  return open && draft !== 'not known yet' ? draft : null;
})()
"""

SAY = """
document.getElementById('message').value = %s;
document.getElementById('send').click();
"""

ENTRIES = """
Array.prototype.map.call(
  document.getElementById('log').children,
  function (entry) { return entry.textContent; }
)
"""


def give(code, **fields):
    """Prints an event and ends."""
    tell(**fields)
    os._exit(code)


def tell(**fields):
    print(json.dumps(fields), flush=True)


class Person:
    """At the page: looks at it again and again."""

    def __init__(self, page, say, expect, screenshot):
        self.page = page
        self.words = say
        self.expect = expect
        self.screenshot = screenshot
        self.waiting = "for the page to load"
        self.look = None
        self.timer = QTimer()
        self.timer.timeout.connect(lambda: self.look and self.look())
        self.timer.start(20)
        self.stdin = None
        QTimer.singleShot(60_000, self.late)

    def run(self, script):
        return self.page.mainFrame().evaluateJavaScript(script)

    def late(self):
        reason = f"waited 60 s {self.waiting}"
        text = self.page.mainFrame().toPlainText()
        give(3, event="error", reason=reason, page=text)

    def loaded(self, well):
        if not well:
            give(3, event="error", reason="cannot load the page")
        self.waiting = "for #state to be OPEN and #draft to be known"
        self.look = self.opened

    def opened(self):
        draft = self.run(DRAFT)
        if draft:
            self.look = None
            tell(event="open", draft=draft)
            self.waiting = 'for "go" on stdin'
            self.stdin = QSocketNotifier(0, QSocketNotifier.Read)
            self.stdin.activated.connect(self.told)

    def told(self, *_):
        self.stdin.setEnabled(False)
        if sys.stdin.readline() != "go\n":
            give(3, event="error", reason='stdin ended before "go"')
        self.run(SAY % json.dumps(self.words))
        self.waiting = f"for {self.expect} in #log"
        self.look = self.heard

    def heard(self):
        for entry in self.run(ENTRIES):
            if self.expect in entry:
                image = QImage(QSize(900, 640), QImage.Format_ARGB32)
                painter = QPainter(image)
                self.page.mainFrame().render(painter)
                painter.end()
                image.save(self.screenshot)
                give(0, event="message", entry=re.sub(r"\s+", " ", entry))


def main():
    if len(sys.argv) != 5:
        sys.exit("usage: qtwebkit-chat.py PAGE SAY EXPECT SCREENSHOT")
    _, url, say, expect, screenshot = sys.argv
    application = QApplication(sys.argv[:1])
    page = QWebPage()
    page.setViewportSize(QSize(900, 640))
    person = Person(page, say, expect, screenshot)
    page.mainFrame().loadFinished.connect(person.loaded)
    page.mainFrame().load(QUrl(url))
    application.exec_()


main()
