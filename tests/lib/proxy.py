"""The proxy between svcfs and moto: it counts, keeps connections alive, breaks what it is told to, and corrects moto.

moto closes each connection, throttles nothing, never lags and never fails; svcfs must be tested against an AWS that does.
So this server speaks HTTP/1.1 with keep-alive to svcfs, records each request raw (for counts, and for the proof
that botocore signs the same), applies rules (delay, error, reset, stall, truncation, hooks) and passes the
rest on through `corrections`, which change moto's answers to those that AWS gives.

One thread a connection. Requests to moto go one at a time: its stores are plain dicts, which break when one request
iterates while another inserts; injected delays are outside of that lock.

As a program: python -m tests.lib.proxy --upstream URL [--port N] [--control-port N]
The control port takes JSON: POST /rules, DELETE /rules, GET /counts, POST /config, POST /reset.
"""
import argparse
import dataclasses
import fnmatch
import http.client
import http.server
import json
import re
import select
import socket
import socketserver
import sys
import threading
import time
import traceback
from email.utils import formatdate
from urllib.parse import urlsplit

from . import wire
from .corrections import Corrections

_HOP_BY_HOP = {"connection", "keep-alive", "content-length", "transfer-encoding", "date", "server"}


@dataclasses.dataclass
class Rule:
    """What to do with matching requests. op is a pattern over "service:Operation".

    skip: so many matches pass first; times: then so many are treated (None: all).
    before(request) and after(request, answer) are hooks; one that returns an Answer replaces the answer.
    """
    op: str
    where: object = None            # callable(request) -> bool
    contains: str = None            # text that the raw body or target must contain
    skip: int = 0
    times: int = None
    delay: float = 0.0              # before forwarding
    delay_after: float = 0.0
    error: tuple = None             # (status, code, message[, extra]) instead of forwarding
    lose: bool = False              # with error: forward, and answer the error all the same
    reset: str = None               # "before" or "after" forwarding
    stall: bool = False             # never answered
    truncate: bool = False          # half of the body, then the connection ends
    plain: int = None               # this status with an HTML body without request id
    headers: tuple = ()             # further headers of the answer
    before: object = None
    after: object = None
    hits: int = 0                   # how many requests it was applied to

    def matches(self, request):
        if not fnmatch.fnmatchcase(request.operation, self.op):
            return False
        if self.contains and self.contains.encode() not in request.body + request.target.encode():
            return False
        return not self.where or bool(self.where(request))


@dataclasses.dataclass
class Record:
    request: wire.Request
    connection: int
    began: float
    ended: float = None
    status: int = None              # None: not answered (yet)
    code: str = None                # the AWS error code
    answer_id: str = None           # x-amzn-requestid of the answer

    @property
    def operation(self):
        return self.request.operation


class _ConnectionEnds(Exception):
    pass


class Proxy:
    def __init__(self, upstream, host="127.0.0.1", port=0, control_port=None):
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self._moto_lock = threading.Lock()
        self._lock = threading.Lock()
        self._grown = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._connections = {}
        self._next_connection = 0
        self.records, self.rules = [], []
        self.failures = []          # of the proxy itself
        self.clock_offset = 0.0     # of the Date header
        self.corrections = Corrections(self)
        self._server = _Server((host, port), _Handler, self)
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        self._control = None
        if control_port is not None:
            self._control = _Server((host, control_port), _ControlHandler, self)
            self.control_url = f"http://{host}:{self._control.server_address[1]}"

    # Life

    def start(self):
        for server in filter(None, (self._server, self._control)):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        self._stopping.set()
        self.corrections.stop()
        for server in filter(None, (self._server, self._control)):
            server.shutdown()
            server.server_close()
        with self._lock:
            sockets = list(self._connections.values())
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def reset(self):
        """Forgets records, rules and what the corrections know; to be called with moto's own reset."""
        with self._lock:
            self.records, self.rules = [], []
            self.clock_offset = 0.0
        self.corrections.reset()

    @property
    def config(self):
        return self.corrections.config

    # Rules and what was seen

    def rule(self, op, **what):
        rule = Rule(op, **what)
        with self._lock:
            self.rules.append(rule)
        return rule

    def clear_rules(self):
        with self._lock:
            self.rules = []

    def remove_rule(self, rule):
        with self._lock:
            self.rules = [r for r in self.rules if r is not rule]

    def seen(self, op="*", where=None):
        with self._lock:
            records = list(self.records)
        return [r for r in records if fnmatch.fnmatchcase(r.operation, op) and (not where or where(r.request))]

    def count(self, op="*", where=None):
        return len(self.seen(op, where))

    def counts(self):
        result = {}
        for record in self.seen():
            result[record.operation] = result.get(record.operation, 0) + 1
        return result

    def wait_for(self, op, n=1, timeout=30, where=None, answered=False):
        """Waits until n requests of the operation have come (answered: have been answered)."""
        def there():
            found = [r for r in self.records if fnmatch.fnmatchcase(r.operation, op)
                     and (not where or where(r.request)) and (not answered or r.ended)]
            return len(found) >= n
        with self._grown:
            if not self._grown.wait_for(there, timeout):
                raise TimeoutError(f"{op}: not seen {n} times within {timeout} s; seen: "
                                   f"{sorted({r.operation for r in self.records})}")

    # The way of one request

    def forward(self, request):
        """Sends the request to moto as it is, and reads the whole answer."""
        headers = {k: v for k, v in request.headers if k.lower() not in ("connection", "content-length", "accept-encoding")}
        body = request.body
        if request.protocol in (wire.JSON, wire.REST_JSON):
            # moto looks for form fields in any body; the same JSON without a bare ampersand hides none.
            body = body.replace(b"&", b"\\u0026")
        with self._moto_lock:
            connection = http.client.HTTPConnection(*self._upstream, timeout=120)
            try:
                connection.request(request.method, request.target, body, headers)
                response = connection.getresponse()
                answer = wire.Answer(response.status, response.getheaders(), response.read())
            finally:
                connection.close()
        return self._readable(request, answer)

    @staticmethod
    def _readable(request, answer):
        """moto's own faults are HTML pages; AWS's are errors of the protocol with a request id."""
        kind = answer.header("content-type") or ""
        if not answer.ok and "html" in kind and request.protocol:
            if answer.status == 404:
                return wire.error_answer(request, 400, "UnknownOperationException", f"moto does not know {request.operation}")
            return wire.error_answer(request, 500, "InternalFailure", "moto failed")
        return answer

    def handle(self, request, record, connection_is_open):
        rule = self._take_rule(request)
        if rule is None:
            return self.corrections.answer(request)
        self._wait(rule.delay, connection_is_open)
        answer = rule.before(request) if rule.before else None
        if rule.reset == "before":
            raise _ConnectionEnds
        if rule.stall:
            self._wait(float("inf"), connection_is_open)
            raise _ConnectionEnds
        if rule.plain:
            answer = wire.Answer(rule.plain, [("Content-Type", "text/html")], b"<html>upstream failed</html>\n")
        if rule.error and not rule.lose:
            answer = wire.error_answer(request, *rule.error)
        if not isinstance(answer, wire.Answer):
            answer = self.corrections.answer(request)
            if rule.error:
                answer = wire.error_answer(request, *rule.error)
        if rule.after:
            replaced = rule.after(request, answer)
            answer = replaced if isinstance(replaced, wire.Answer) else answer
        self._wait(rule.delay_after, connection_is_open)
        if rule.reset == "after":
            raise _ConnectionEnds
        answer.headers += rule.headers
        answer.truncated = rule.truncate
        return answer

    def _take_rule(self, request):
        with self._lock:
            for rule in self.rules:
                if not rule.matches(request):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                if rule.times is not None and rule.hits >= rule.times:
                    continue
                rule.hits += 1
                return rule
        return None

    def _wait(self, seconds, connection_is_open):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopping.wait(min(left, 0.1)) or not connection_is_open():
                raise _ConnectionEnds

    # For the handlers

    def begin(self, request, connection):
        record = Record(request, connection, time.monotonic())
        with self._grown:
            self.records.append(record)
            self._grown.notify_all()
        return record

    def end(self, record, answer):
        with self._grown:
            record.ended = time.monotonic()
            if answer:
                record.status, record.code = answer.status, answer.code()
                record.answer_id = answer.header("x-amzn-requestid")
            self._grown.notify_all()

    def connected(self, sock):
        with self._lock:
            self._next_connection += 1
            self._connections[self._next_connection] = sock
            return self._next_connection

    def disconnected(self, number):
        with self._lock:
            self._connections.pop(number, None)

    def connections_made(self):
        with self._lock:
            return self._next_connection


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address, handler, proxy):
        self.proxy = proxy
        super().__init__(address, handler)

    def server_bind(self):
        # HTTPServer would look its own name up, which may wait for a resolver.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def setup(self):
        super().setup()
        self.number = self.server.proxy.connected(self.connection)

    def finish(self):
        self.server.proxy.disconnected(self.number)
        try:
            super().finish()
        except OSError:
            pass

    def log_message(self, *_):
        pass

    def _is_open(self):
        readable, _, _ = select.select([self.connection], [], [], 0)
        if not readable:
            return True
        try:
            return self.connection.recv(1, socket.MSG_PEEK) != b""
        except OSError:
            return False

    def _serve(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = wire.Request(self.command, self.path, self.headers.items(), body)
        record = proxy.begin(request, self.number)
        answer = None
        try:
            answer = proxy.handle(request, record, self._is_open)
            self._identify(answer)
            proxy.end(record, answer)  # before it is sent: who has the answer finds it in the record
            self._write(answer)
        except _ConnectionEnds:
            answer = None
            self._drop()
        except Exception:  # of the laboratory itself: it must not look like a fault of the daemon
            if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
                proxy.failures.append(f"{request.operation}: {traceback.format_exc()}")
            raise
        finally:
            if not record.ended:
                proxy.end(record, answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve

    @staticmethod
    def _identify(answer):
        """Every answer of AWS has a request id; a page of something in between has none."""
        if "html" not in (answer.header("content-type") or "") and not answer.header("x-amzn-requestid"):
            answer.headers.append(("x-amzn-RequestId", wire.request_id()))

    def _write(self, answer):
        headers = [(k, v) for k, v in answer.headers if k.lower() not in _HOP_BY_HOP]
        headers.append(("Date", formatdate(time.time() + self.server.proxy.clock_offset, usegmt=True)))
        headers.append(("Content-Length", str(len(answer.body))))
        reason = http.client.responses.get(answer.status, "Unknown")
        head = "".join(f"{k}: {v}\r\n" for k, v in headers)
        self.wfile.write(f"HTTP/1.1 {answer.status} {reason}\r\n{head}\r\n".encode("latin-1"))
        if getattr(answer, "truncated", False):
            self.wfile.write(answer.body[:len(answer.body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _drop(self):
        """Ends the connection as a crash would: with a reset, not in good order."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        except OSError:
            pass


class _ControlHandler(_Handler):
    _FIELDS = {f.name for f in dataclasses.fields(Rule)} - {"where", "before", "after", "hits"}

    def _serve(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            value = self._control(proxy, json.loads(body) if body else {})
            answer = wire.Answer(200, [("Content-Type", "application/json")], json.dumps(value).encode() + b"\n")
        except (KeyError, TypeError, ValueError) as error:
            answer = wire.Answer(400, [("Content-Type", "application/json")],
                                 json.dumps({"error": str(error)}).encode() + b"\n")
        self._write(answer)

    do_GET = do_POST = do_DELETE = _serve

    def _control(self, proxy, value):
        verb = (self.command, self.path)
        if verb == ("POST", "/rules"):
            unknown = set(value) - self._FIELDS
            if unknown:
                raise ValueError(f"unknown fields {sorted(unknown)}")
            if value.get("error"):
                value["error"] = tuple(value["error"])
            proxy.rule(**value)
            return {"rules": len(proxy.rules)}
        if verb == ("DELETE", "/rules"):
            proxy.clear_rules()
            return {"rules": 0}
        if verb == ("GET", "/counts"):
            return proxy.counts()
        if verb == ("POST", "/config"):
            proxy.config.change(value)
            return dataclasses.asdict(proxy.config)
        if verb == ("POST", "/reset"):
            proxy.reset()
            return {}
        raise ValueError(f"unknown: {self.command} {self.path}")


def main():
    parser = argparse.ArgumentParser(prog="proxy", description=__doc__.splitlines()[0])
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int)
    parser.add_argument("--rds", action="append", default=[], metavar="ID=HOST:PORT",
                        help="the endpoint that the RDS instance ID gets")
    args = parser.parse_args()
    proxy = Proxy(args.upstream, port=args.port, control_port=args.control_port)
    for item in args.rds:
        identifier, host, port = re.fullmatch(r"([^=]+)=(.+):(\d+)", item).groups()
        proxy.config.rds_endpoints[identifier] = (host, int(port))
    proxy.start()
    print(proxy.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
