"""A headless Chromium that opens a page, driven through its DevTools protocol."""

import base64
import itertools
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
SECONDS = 120


class Browser:
    """One page in one browser; a context manager, since the process must end."""

    def __init__(self, profile: Path, size: tuple[int, int] = (1400, 900)):
        self._log = profile / "chromium.log"
        profile.mkdir(parents=True)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    *(PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                    *("--disable-background-networking", "--disable-dev-shm-usage"),
                    *("--remote-debugging-port=0", "--remote-allow-origins=*"),
                    *(f"--window-size={size[0]},{size[1]}", f"--user-data-dir={profile / 'data'}"),
                    "about:blank",
                ],
                stdout=log,
                stderr=log,
            )
        self._numbers = itertools.count(1)
        self.events: list[dict] = []
        self._socket = None

    def __enter__(self):
        try:
            self._socket = websocket.create_connection(self._address(), timeout=SECONDS)
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            found = self.send("Target.attachToTarget", targetId=target, flatten=True)
            self._session = found["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.send(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._socket is not None:
            self._socket.close()
        self._process.terminate()
        self._process.wait(30)

    _session = None

    def _address(self) -> str:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if found := re.search(r"DevTools listening on (ws://\S+)", self._log.read_text()):
                return found[1]
            time.sleep(0.1)
        raise RuntimeError(f"chromium did not start: {self._log.read_text()[-500:]}")

    def send(self, method: str, **parameters) -> dict:
        """Call a method of the protocol; its result. Events meanwhile are kept in `events`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def run(self, script: str):
        """Value of a JavaScript expression; a promise is awaited, an exception is raised."""
        found = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:2000])
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression holds."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self.run(f"Boolean({condition})"):
                return
            time.sleep(0.1)
        raise TimeoutError(f"never became true: {condition}; {self.problems()}")

    def open(self, page: Path, ready: str) -> None:
        """Open a file and wait for a condition."""
        self.send("Page.navigate", url=page.resolve().as_uri())
        self.wait(f"document.readyState === 'complete' && ({ready})")

    def mouse(self, kind: str, x: float, y: float, **more) -> None:
        """An event of the pointer (`mouseMoved`, `mouseWheel` ...) at a point of the window."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def picture(self, path: Path) -> None:
        """Save the whole page as PNG."""
        found = self.send("Page.captureScreenshot", captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(found["data"]))

    def requests(self) -> list[str]:
        """Addresses that the page has asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def problems(self) -> list[str]:
        """Uncaught exceptions, and errors in the console."""
        found = []
        for event in self.events:
            match event:
                case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                    found.append(json.dumps(details)[:500])
                case {"method": "Log.entryAdded", "params": {"entry": {"level": "error"} as entry}}:
                    found.append(entry["text"])
                case {"method": "Runtime.consoleAPICalled", "params": {"type": "error"} as call}:
                    found.append(json.dumps(call["args"])[:500])
        return found
