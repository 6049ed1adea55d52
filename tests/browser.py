"""browser.py: a headless Chromium for a test, by plain WebDriver requests to a chromedriver on loopback. Nothing is installed
for it but the two Debian packages, and nothing else is contacted."""
import base64, json, os, re, shutil, subprocess, tempfile, urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1280,900"]
ESCAPE = "\ue00c"


class Browser:
    def __init__(self):
        self.direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.profile = tempfile.mkdtemp()
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = next(m[1] for m in (re.search(r"successfully on port (\d+)", line) for line in self.driver.stdout) if m)
        self.base = f"http://127.0.0.1:{port}/session"
        options = {"binary": shutil.which("chromium"), "args": FLAGS + ["--user-data-dir=" + self.profile]}
        caps = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self.base += "/" + self.ask("", {"capabilities": caps})["sessionId"]

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            return json.load(self.direct.open(request, timeout=60))["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["value"]["message"]) from None

    def open(self, path):
        self.ask("/url", {"url": "file://" + os.path.abspath(path)})

    def run(self, script, *args):
        return self.ask("/execute/sync", {"script": script, "args": list(args)})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def click(self, element):
        self.ask(f"/element/{element[ELEMENT]}/click", {})

    def find(self, selector):
        return self.ask("/element", {"using": "css selector", "value": selector})

    def hover(self, element):
        move = {"type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0}
        self.ask("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [move]}]})

    def keys(self, text):
        press = [{"type": t, "value": c} for c in text for t in ("keyDown", "keyUp")]
        self.ask("/actions", {"actions": [{"type": "key", "id": "keys", "actions": press}]})

    def media(self, scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}})

    def complaints(self):
        return [entry["message"] for entry in self.ask("/se/log", {"type": "browser"})]

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.ask("/screenshot")))

    def close(self):
        try:
            self.ask("", method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()
            shutil.rmtree(self.profile, ignore_errors=True)
