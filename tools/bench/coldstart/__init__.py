"""What a Lambda's first request waits for: imports and clients against bare boto3, sizes, and the handler itself.

usage: python -m tools.bench.coldstart [ROUNDS]

Prints one JSON object. `import` is a function's imports, `cold` all that it does before its first request (status
makes its clients and calendar then), each over `import boto3; boto3.client("ssm")`: fresh processes, turn by turn,
ratio of the fastest rounds. Modules that this machine has and a Lambda has not (pyOpenSSL) are kept out of both.
`warm_ms` is the handler's own time for `/api/token-status`, over a file and SQLite, without what these take.
"""
