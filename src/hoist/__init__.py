"""Hoist, a scalable file upload service. The map, in reading order:

domain.model               a file's record, and who owns it
domain.lifecycle           how a file's row changes with what happens to it
domain.account             a user's books: stored and reserved bytes
domain.policy              what each tier may do; which requests make sense
domain.errors              every way to be refused or to fail
domain.messages            what travels between our parts: envelopes, metadata events
domain.frames              what clients send
domain.strict_json         JSON as strangers send it, refused calmly
domain.ports               what the pipeline needs from the world, and must last
domain.volatile            what it needs and may lose
pipeline.events            what the steps say, to clients and to the log
pipeline.ingest            1. a request goes on its lane, durably
pipeline.delivery          what a failure means, decided once
pipeline.finding           where an upload is known
pipeline.views             how an upload is shown, and its bytes may be sent
pipeline.triage            2a. which requests are new, repeats, asked again
pipeline.admission         2b. who may upload now: size, rate, concurrency, quota
pipeline.pace              how fast a lane moves
pipeline.upload_handler    2. a request becomes a presigned URL
pipeline.metadata_handler  3. a request, then an object, becomes a record
pipeline.outcomes          what the client hears of it
pipeline.parts             4. large files: parts signed just in time, then joined
pipeline.progress          4. how many bytes are there, told to every device
pipeline.cancel            its owner wants it no more
pipeline.completion        5. storage says the object is there
pipeline.files             6. list, look up, download
pipeline.janitor           settles what nobody finished
pipeline.reconcile         where storage, rows and books disagree

gateway.http               the routes
gateway.authorizer         tokens, tickets and origins, before anything else
gateway.flood              too many requests or frames a second
gateway.uploads            the routes of an upload
gateway.joins              parts being joined, each upload once
gateway.websocket          one socket's life
gateway.actions            what each frame does
gateway.socket             a WebSocket that survives hostile and slow peers
gateway.sessions           the sockets of this process, and who waits
gateway.management         /@connections, as API Gateway has it
gateway.problems           RFC 9457 for every refusal
gateway.schemas            what the routes answer
gateway.openapi            the document and its page

lambdas.topics             Kafka events in, batch item failures out
lambdas.bucket             S3 notifications from SQS
lambdas.clock              the janitor's tick
workers.kafka_source       polls Kafka for the lambdas, as AWS would
workers.sqs_source         polls SQS for them

adapters.aws               boto3 clients, and what their failures mean
adapters.s3                objects
adapters.s3_parts          uploads in parts, and what the bucket holds
adapters.dynamodb          records and accounts
adapters.dynamodb_items    how rows look in the table
adapters.kafka             the log
adapters.redis_client      the client, and going on without it
adapters.redis_state       list pages, answers
adapters.redis_uploads     leases, progress, the pace of the lanes
adapters.redis_registry    open sockets, tickets
adapters.rate_limits       requests per minute
adapters.redis_stream      numbered events, and the wire to the gateways
adapters.jwt               access tokens
adapters.sigv4             requests signed with AWS credentials
adapters.apigateway        push through API Gateway
adapters.tier_file         the tiers, from a file that may change
config                     settings
wiring.adapters            which adapter stands behind each port
wiring.services            every step, on the adapters of a process
telemetry                  one trace, JSON logs

client.problems            what a client may be told, and how often it asks again
client.crew                threads that share a list of things to do
client.views               what the service answers, as types
client.tokens              access tokens, refreshed before they end
client.issuer              how a user's proof becomes tokens
client.rest                requests to whichever gateway answers
client.keeper              pings and fresh tokens for an open socket
client.socket              one WebSocket for many uploads
client.source              the bytes to upload, measured once
client.storage             presigned transfers to and from S3
client.progress            how much of an upload is done
client.lines               an upload's requests, over the socket or REST
client.parts               the bytes of a large file, part by part
client.uploads             one upload from request to verdict
client.watch               a user's events, over one socket after another
client.api                 the client: every request as a method
cli.commands               the command and its options
cli.context                gateways, issuer and stored login
cli.private_file           a JSON file for its owner, changed by one at a time
cli.credentials            logins on disk
cli.journal                unfinished uploads on disk
cli.problems               what went wrong in one line, and the exit code
cli.output                 tables, tab separated lines, JSON
cli.loopback               the other end of a browser login
cli.login                  hoist login, logout, whoami
cli.gather                 which files a command line means
cli.bars                   progress bars on a terminal
cli.outcomes               what became of each file
cli.upload                 hoist upload
cli.watch                  hoist watch
cli.files                  hoist status, cancel, ls, download
cli.admin                  hoist admin: tiers, reconcile
cli.shells                 hoist completion
"""
