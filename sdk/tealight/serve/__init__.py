# SPDX-License-Identifier: Apache-2.0
"""A local web page that runs bundles on what is dropped on it.

server.py answers HTTP on the loopback interface alone, handlers.py says what a request gets, jobs.py runs one request
at a time per model, upload.py turns hostile bytes into inputs or a clear error, views.py turns arrays into what the
page draws. page.html, page.css, drawings.js and page.js are the page, sent as one file that loads nothing else.
"""
