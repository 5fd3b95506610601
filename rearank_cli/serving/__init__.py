"""The reranker behind an address: HTTP in the shapes of common rerank services, MCP, a page.

`service` is the reranker with one engine for all requests, `app` puts it behind HTTP, `mcp` behind
the Model Context Protocol, and `server` runs either until it is told to stop.
"""
