"""A server of tweets: a GET with the right token gets a chunked response that never ends, as streams of tweets are. The
first connection is dropped in the middle of a chunk; the next one goes on. Prints its port."""

import http.server
import json
import sys
import time

TWEETS = ["#rust is fast #fast", "more #rust", "no tag here", "#rust again #spark"]
connections = 0


class Tweets(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_GET(self):
        global connections
        if self.headers.get("Authorization") != "Bearer s3cret":
            self.send_error(401, "no such token")
            return
        connections += 1
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for tweet in TWEETS:
            self.chunk(json.dumps({"data": {"text": tweet}}) + "\r\n")
        if connections == 1:
            self.wfile.write(b"40\r\n{\"data\"")
            self.wfile.flush()
            self.close_connection = True
            return
        while True:
            self.chunk("\r\n")
            time.sleep(0.2)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tweets)
server.daemon_threads = True
print(server.server_address[1], flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
