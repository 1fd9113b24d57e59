"""A picture in, its protected copy out, over HTTP: what ``fixative serve`` runs.

Needs the extra ``serve``. A request goes gate → route → upload → batcher → engine and back:

| module | what it does |
| --- | --- |
| ``patience`` | closes connections that send or read too slowly |
| ``gate`` | counts a body's bytes; leaves the connection in order when a request is refused |
| ``routes`` | the addresses, who may use them and how they answer |
| ``upload`` | a body into a file of our own choosing |
| ``batcher`` | requests of one size and setting go through the engine together |
| ``engine`` | codec and mixture, loaded once |
"""
