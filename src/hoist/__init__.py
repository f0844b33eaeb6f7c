"""Hoist, a scalable file upload service. The map, in reading order:

domain.model               a file's record, and who owns it
domain.lifecycle           how a file's row changes with what happens to it
domain.changes             how its owner changes it
domain.listing             what a list shows, and in which order
domain.archives            many files as one zip
domain.safe_names          names for file systems out of anybody's
domain.entry_names         what files are called in a zip
domain.sharing             links to a file, and who downloaded it
domain.account             a user's books: stored and reserved bytes
domain.policy              what each tier may do; which requests make sense
domain.errors              every way to be refused or to fail
domain.versions            messages and rows of older and newer releases
domain.messages            what travels between our parts: topics, the ingest envelope
domain.metadata            the events of hoist.metadata
domain.decisions           what operators decide about dead letters
domain.frames              what clients send
domain.strict_json         JSON as strangers send it, refused calmly
domain.lag                 how far consumers are behind, and what tells it
domain.ports               what the pipeline needs from the world, and must last
domain.volatile            what it needs and may lose
domain.row_json            rows as JSON
pipeline.events            what the steps say, to clients and to the log
pipeline.ingest            1. a request goes on its lane, durably
pipeline.delivery          what a failure means, decided once
pipeline.attempt           a batch, halved until what fails stands alone
pipeline.journey           what happened to a record that failed
pipeline.delayed           who waits for a dependency hears it
pipeline.finding           where an upload is known
pipeline.views             how an upload is shown, and its bytes may be sent
pipeline.triage            2a. which requests are new, repeats, asked again
pipeline.admission         2b. who may upload now: size, rate, concurrency, quota
pipeline.pace              how fast a lane moves
pipeline.upload_handler    2. a request becomes a presigned URL
pipeline.metadata_handler  3. a request, then an object, becomes a record
pipeline.fold              3. what a batch of events makes of rows and books
pipeline.effects           3. what one event does to one row
pipeline.steps             3. the timeline
pipeline.outcomes          what the client hears of it
pipeline.parts             4. large files: parts signed just in time, then joined
pipeline.progress          4. how many bytes are there, told to every device
pipeline.cancel            its owner wants it no more
pipeline.completion        5. storage says the object is there
pipeline.files             6. list, look up, download
pipeline.pages             6. a page, from the cache or the store
pipeline.cursors           6. where the next page starts
pipeline.change            6. rename, publish, the trash and back
pipeline.history           6. a file's timeline and downloads
pipeline.sharing           6. public files and links
pipeline.waiting           6. how long to look for a change
pipeline.archive_requests  a zip of a list: asked for, looked at, removed
pipeline.archive           7. a zip of a list, built
pipeline.janitor           settles what nobody finished
pipeline.seldom            what it does not do at each tick
pipeline.reconcile         where storage, rows and books disagree
pipeline.lost_rows         files that only the log and storage know
pipeline.rebuild           the store made anew from the log
pipeline.lag               how far consumers are behind, how long they need
pipeline.doctor            whether all that is kept says the same
pipeline.doctor_storage    storage against rows and books, rows against themselves
pipeline.doctor_lists      the cache against the store
pipeline.doctor_offsets    committed offsets against the log
pipeline.letters           a dead letter, as an operator reads it
pipeline.letter_views      how it is shown
pipeline.decision_book     what was decided about each
pipeline.dead_letters      looked at, mended, given up
pipeline.replay            sent on their way again
pipeline.doctor_log        the store against the log; dead letters
pipeline.dropped           who waited hears that it was given up

gateway.http               the routes
gateway.authorizer         tokens, tickets and origins, before anything else
gateway.flood              too many requests or frames a second
gateway.uploads            the routes of an upload
gateway.files              the routes of files
gateway.queries            the parameters of a list
gateway.sharing            the routes of links
gateway.bodies             who calls, and what they sent
gateway.archives           the routes of an archive
gateway.joins              parts being joined, each upload once
gateway.websocket          one socket's life
gateway.actions            what each frame does
gateway.socket             a WebSocket that survives hostile and slow peers
gateway.handshake          how one begins
gateway.whole_frames       frames cut out of what comes, the commonest read and made
gateway.patience           how long a peer may take to say what it wants
gateway.sessions           the sockets of this process, and who waits
gateway.management         /@connections, as API Gateway has it
gateway.problems           RFC 9457 for every refusal
gateway.schemas            what the routes answer
gateway.operations         how one operation reads in it
gateway.openapi_files      its part about files and links
gateway.openapi            the document and its page
gateway.tracing            what goes around every request
gateway.health             alive, ready, counters
gateway.json_log           the server's own messages
admin.http                 for operators: who may enter
admin.requests             what they ask for
admin.dead_letters         the routes of the dead letter desk
admin.schemas              what these answer
admin.openapi              their document

lambdas.topics             Kafka events in, batch item failures out
lambdas.bucket             S3 notifications from SQS
lambdas.clock              the janitor's tick
workers.kafka_source       polls Kafka for the lambdas, as AWS would
workers.offsets            what it has done, and may commit
workers.watchdog           notices a partition that it never gets
workers.sqs_source         polls SQS for them
workers.metrics            lag, for Prometheus and CloudWatch

adapters.aws               boto3 clients, and what their failures mean
adapters.signatures        SigV4, its recipe
adapters.aws_json          its most frequent calls, sent as they are
adapters.s3                objects
adapters.s3_signer         presigned URLs
adapters.s3_parts          uploads in parts, and what the bucket holds
adapters.s3_archives       archives, written while files are read
adapters.dynamodb          records and accounts
adapters.dynamodb_items    how rows look in the table
adapters.dynamodb_batches  how much of it is asked at once
adapters.dynamodb_races    who lost, and who may try again
adapters.sql               the same in SQL: PostgreSQL, SQLite
adapters.sql_tables        how rows look in SQL
adapters.sql_database      the database behind a URL
adapters.sql_migrations    the tables' history
adapters.kafka             the log
adapters.kafka_lag         who reads it, and how far they are
adapters.sqs               the queue of the bucket's events
adapters.circuit           who may wait for what is slow or away
adapters.cloudwatch        numbers and alarms
adapters.kafka_reader      the log, read by operators
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
wiring.volatile            which adapter stands behind each port of what may be lost
wiring.adapters            the same for what must last
wiring.steps               every step, on the adapters of a process
wiring.operators           what looks after them; all that a process may use
wiring.threads             where long computations go
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
client.local_paths         where a file may go on this machine
client.partial             what has come of a download, beside its target
client.storage             presigned transfers to and from S3
client.progress            how much of an upload is done
client.lines               an upload's requests, over the socket or REST
client.parts               the bytes of a large file, part by part
client.uploads             one upload from request to verdict
client.watch               a user's events, over one socket after another
client.filters             which files a list means
client.files               list, look up, change, delete, restore; histories
client.sharing             links for anybody
client.archives            many files as one zip
client.fetch               one download, resumed where it was
client.folder              a folder that downloads go into
client.download_all        many files into it, several at once
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
cli.amounts                sizes, times and spans as people write them
cli.filters                which files a command means
cli.files                  hoist status, cancel, ls
cli.download               hoist download, open
cli.changes                hoist rm, restore, mv, publish, unpublish
cli.sharing                hoist share, shares, unshare
cli.history                hoist history, timeline
cli.lag                    hoist admin lag
cli.dead_letters           hoist admin dlq: list, show, edit, drop
cli.dead_letter_replay     hoist admin dlq replay
cli.json_text              JSON laid out for an editor, its values untouched
cli.mends                  hoist admin forget-lists, rewind
cli.admin                  hoist admin: tiers, migrate, reconcile, rebuild, dlq
cli.doctor                 hoist doctor
cli.shells                 hoist completion
"""
