"""A fake S3 server for tests: one bucket in memory, as much of the protocol as rclone speaks to keep files in it.

It checks the signature of each request (AWS signature, version 4) against one key. What it does not know it refuses with 501, so that a
test which needs more of S3 than this fake has does not pass by chance. It is no S3: it shows that our side and rclone's agree.
"""
import datetime
import hashlib
import hmac
import http.server
import threading
import urllib.parse
from xml.sax.saxutils import escape

KEY, SECRET, BUCKET, REGION = "AKIDTEST", "hush-this-is-a-secret", "weir", "test"


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode(), Content_Type="application/xml")

    def is_signed(self, query):
        given = self.headers.get("Authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return False
        parts = dict(part.strip().split("=", 1) for part in given[len("AWS4-HMAC-SHA256 "):].split(","))
        credential, signed = parts["Credential"].split("/"), parts["SignedHeaders"].split(";")
        if credential[0] != KEY:
            return False
        pairs = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in sorted(query))
        headers = "".join(f"{name}:{' '.join(self.headers.get(name, '').split())}\n" for name in signed)
        request = "\n".join((self.command, self.path.split("?")[0], pairs, headers, ";".join(signed),
                             self.headers.get("x-amz-content-sha256", "")))
        scope = "/".join(credential[1:])
        text = "\n".join(("AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, hashlib.sha256(request.encode()).hexdigest()))
        key = ("AWS4" + SECRET).encode()
        for part in credential[1:]:
            key = sign(key, part)
        return hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), parts["Signature"])

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        where = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qsl(where.query, keep_blank_values=True)
        if not self.is_signed(query):
            return self.refuse(403, "SignatureDoesNotMatch")
        digest = self.headers.get("x-amz-content-sha256", "")
        if len(digest) == 64 and digest != hashlib.sha256(body).hexdigest():
            return self.refuse(400, "XAmzContentSHA256Mismatch")
        bucket, _, name = urllib.parse.unquote(where.path).lstrip("/").partition("/")
        if bucket != BUCKET:
            return self.refuse(404, "NoSuchBucket")
        with self.server.lock:
            return self.handle_object(name, body, dict(query)) if name else self.handle_bucket(body, dict(query))

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = lambda self: self.handle_any()

    def handle_bucket(self, body, query):
        files = self.server.files
        if self.command == "PUT":
            return self.answer(200)
        if self.command == "HEAD":
            return self.answer(200)
        if self.command != "GET":
            return self.refuse(501, "NotImplemented")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names, folders = [], set()
        for name in sorted(files):
            if not name.startswith(prefix):
                continue
            rest = name[len(prefix):]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                names.append(name)
        items = "".join(f"<Contents><Key>{escape(n)}</Key><LastModified>{files[n][2]}</LastModified><ETag>&quot;{files[n][1]}&quot;</ETag>"
                        f"<Size>{len(files[n][0])}</Size><StorageClass>STANDARD</StorageClass></Contents>" for n in names)
        items += "".join(f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders))
        text = (f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{BUCKET}</Name>'
                f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(names)}</KeyCount><MaxKeys>1000000</MaxKeys>"
                f"<IsTruncated>false</IsTruncated>{items}</ListBucketResult>")
        return self.answer(200, text.encode(), Content_Type="application/xml")

    def store(self, name, body, meta):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.server.files[name] = (body, hashlib.md5(body).hexdigest(), now.strftime("%Y-%m-%dT%H:%M:%S.000Z"), meta,
                                   now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        return self.server.files[name]

    def handle_object(self, name, body, query):
        files = self.server.files
        if set(query) - {"x-id"}:
            return self.refuse(501, "NotImplemented")
        meta = {k: v for k, v in self.headers.items() if k.lower().startswith("x-amz-meta-")}
        if self.command == "PUT":
            source = self.headers.get("x-amz-copy-source")
            if source:
                bucket, _, other = urllib.parse.unquote(source).lstrip("/").partition("/")
                if bucket != BUCKET or other not in files:
                    return self.refuse(404, "NoSuchKey")
                made = self.store(name, files[other][0], meta or files[other][3])
                text = f"<CopyObjectResult><LastModified>{made[2]}</LastModified><ETag>&quot;{made[1]}&quot;</ETag></CopyObjectResult>"
                return self.answer(200, text.encode(), Content_Type="application/xml")
            return self.answer(200, ETag=f'"{self.store(name, body, meta)[1]}"')
        if self.command == "DELETE":
            files.pop(name, None)
            return self.answer(204)
        if self.command not in ("GET", "HEAD"):
            return self.refuse(501, "NotImplemented")
        if name not in files:
            return self.refuse(404, "NoSuchKey")
        content, etag, _, known, modified = files[name]
        headers = {"ETag": f'"{etag}"', "Last_Modified": modified, "Accept_Ranges": "bytes", **known}
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes="):
            first, _, last = wanted[6:].partition("-")
            first, last = int(first), min(int(last or len(content) - 1), len(content) - 1)
            if first >= len(content):
                return self.refuse(416, "InvalidRange")
            part = content[first:last + 1]
            return self.answer(206, part, Content_Range=f"bytes {first}-{last}/{len(content)}", **headers)
        return self.answer(200, content, **headers)


class Server:
    """Runs until close(); `config` is what rclone needs to know of it."""

    def __init__(self):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.files, self.http.lock = {}, threading.Lock()
        self.files = self.http.files
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.config = (f"[s3]\ntype = s3\nprovider = Other\nenv_auth = false\naccess_key_id = {KEY}\nsecret_access_key = {SECRET}\n"
                       f"endpoint = http://127.0.0.1:{self.http.server_address[1]}\nregion = {REGION}\nforce_path_style = true\n"
                       "list_version = 2\nno_check_bucket = true\n")

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
