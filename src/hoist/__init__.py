"""Hoist, a scalable file upload service. The map, in reading order:

domain.model               a file's record and the states it moves through
domain.policy              what each tier may do; which requests make sense
domain.errors              every way to be refused or to fail
domain.messages            frames, envelopes, metadata events
domain.strict_json         JSON as strangers send it, refused calmly
domain.ports               what the pipeline needs from the world
pipeline.events            what the steps say, to clients and to the log
pipeline.ingest            1. a request goes on its lane, durably
pipeline.delivery          what a failure means, decided once
pipeline.upload_handler    2. a request becomes a presigned URL
pipeline.metadata_handler  3. a request, then an object, becomes a record
pipeline.completion        5. storage says the object is there (4 is the client's PUT)
pipeline.files             6. list, look up, download
pipeline.janitor           settles what nobody finished

gateway.http               the routes
gateway.authorizer         tokens, tickets and origins, before anything else
gateway.websocket          one socket's life
gateway.socket             a WebSocket that survives hostile and slow peers
gateway.sessions           the sockets of this process, and who waits
gateway.management         /@connections, as API Gateway has it
gateway.problems           RFC 9457 for every refusal
gateway.openapi            the document and its page

lambdas.topics             Kafka events in, batch item failures out
lambdas.bucket             S3 notifications from SQS
lambdas.clock              the janitor's tick
workers.kafka_source       polls Kafka for the lambdas, as AWS would
workers.sqs_source         polls SQS for them

adapters.aws               boto3 clients, and what their failures mean
adapters.s3                objects
adapters.dynamodb          records
adapters.kafka             the log
adapters.redis_state       list pages, answers, connections, tickets
adapters.redis_stream      numbered events, and the wire to the gateways
adapters.jwt               access tokens
adapters.sigv4             requests signed with AWS credentials
adapters.apigateway        push through API Gateway
config                     settings
wiring                     which adapter stands behind each port
telemetry                  one trace, JSON logs

client.problems            what a client may be told, and how often it asks again
client.views               what the service answers, as types
client.tokens              access tokens, refreshed before they end
client.issuer              how a user's proof becomes tokens
client.rest                requests to whichever gateway answers
client.socket              one WebSocket for many uploads
client.source              the bytes to upload, measured once
client.storage             presigned transfers to and from S3
client.uploads             one upload from request to verdict
client.api                 the client: every request as a method
cli.commands               the command and its options
cli.context                gateways, issuer and stored login
cli.credentials            logins on disk, 0600
cli.problems               what went wrong in one line, and the exit code
cli.output                 tables, tab separated lines, JSON
cli.loopback               the other end of a browser login
cli.login                  hoist login, logout, whoami
cli.upload                 hoist upload
cli.files                  hoist status, ls, download
cli.shells                 hoist completion
"""
