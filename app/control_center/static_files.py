"""Static files under a path that changes with their content, so that browsers may keep them for ever."""

import asyncio
import gzip
import hashlib
import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

FOREVER = "public, max-age=31536000, immutable"
COMPRESSED = {".js", ".css", ".svg"}
GZIP_LEVEL = 9  # each file once in the life of the process
mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("text/javascript", ".js")


class StaticFiles:
    """The files of one folder, known from the start; what was not there then is not served."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
        }
        self._compressed: dict[str, bytes] = {}
        digest = hashlib.sha256()
        for name, path in self._files.items():
            digest.update(name.encode() + b"\0" + path.read_bytes())
        self.digest = digest.hexdigest()[:12]

    def base(self, mounted_at: str) -> str:
        return f"{mounted_at}/static/{self.digest}"

    def path(self, name: str) -> Path:
        return self._files[name]

    async def serve(self, request: Request) -> Response:
        """An old digest still gets the present file, but may not keep it: its page is from before an upgrade."""
        name = request.path_params["path"]
        path = self._files.get(name)
        if path is None:
            return Response("no such file\n", 404, media_type="text/plain")
        is_current = request.path_params["digest"] == self.digest
        headers = {"Cache-Control": FOREVER if is_current else "no-cache", "X-Content-Type-Options": "nosniff"}
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if path.suffix not in COMPRESSED:
            return FileResponse(path, headers=headers, media_type=media_type)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return FileResponse(path, headers=headers, media_type=media_type)
        return Response(await self._gzip(name), headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type)

    async def _gzip(self, name: str) -> bytes:
        """Compressed at first use, in a thread: plotly takes 0.1 s, which no other request may feel."""
        if name not in self._compressed:
            content = self._files[name].read_bytes()
            self._compressed[name] = await asyncio.to_thread(gzip.compress, content, GZIP_LEVEL, mtime=0)
        return self._compressed[name]
