// Uppy uploads to Hoist: Uppy's own AwsS3 plugin sends the bytes, Hoist says where to.
//
//   new Uppy().use(Hoist, { gateway: 'https://hoist.example.com', token: () => accessToken })
//
// AwsS3 calls `signRequest` before each request it would send to S3. For bytes (a file, a part) it
// gets Hoist's presigned URL. What Hoist does itself (begin, list, join and give up parts) is asked
// of Hoist right there; AwsS3 then finds the answer it expects of S3 at a data: URL.

import AwsS3 from '@uppy/aws-s3'

export class Hoist extends AwsS3 {
  constructor(uppy, options) {
    super(uppy, {
      ...options,
      generateObjectKey: (file) => file.id, // so that #sign knows whose request it signs
      shouldUseMultipart: (file) => Boolean(file.hoist.partSize),
      getChunkSize: ({ size }) =>
        uppy.getFiles().find((file) => file.size === size && file.hoist?.partSize).hoist.partSize,
      signRequest: (request) => this.#sign(request),
    })
  }

  install() {
    super.install()
    this.uppy.addPreProcessor(this.#prepare)
  }

  uninstall() {
    this.uppy.removePreProcessor(this.#prepare)
    super.uninstall()
  }

  // AwsS3 cuts a file before it asks anything, but Hoist alone knows how large its parts are.
  // A refusal is no news yet: #sign hears it again, when AwsS3 listens.
  #prepare = async (fileIds) => {
    const me = this.#ask('GET', '/me')
    const prepare = async (id) => {
      const { size, hoist = { messageId: crypto.randomUUID() } } = this.uppy.getFile(id)
      this.uppy.setFileState(id, { hoist })
      if (hoist.partSize || size <= (await me).limits.multipartThreshold) return
      const { parts } = await this.#announce(id)
      this.uppy.setFileState(id, { hoist: { ...hoist, partSize: parts?.size } })
    }
    await Promise.allSettled([me, ...fileIds.map(prepare)])
  }

  async #sign({ method, key, uploadId, partNumber }) {
    const path = `/uploads/${uploadId}`
    const wanted = { parts: [{ number: partNumber }] }
    if (partNumber) return presigned((await this.#ask('POST', `${path}/parts`, wanted)).parts[0])
    if (method === 'DELETE') return answer('Cancelled', await this.#ask('DELETE', path))
    if (method === 'POST' && uploadId) {
      await this.#ask('POST', `${path}/complete`)
      const result = { Location: `${this.opts.gateway}/files/${uploadId}`, Key: uploadId }
      return answer('CompleteMultipartUploadResult', result)
    }
    const { size, hoist } = this.uppy.getFile(key)
    const { fileId, state, upload, parts } = await this.#announce(key)
    if (method === 'POST') return answer('InitiateMultipartUploadResult', { UploadId: fileId })
    if (method === 'GET') {
      const all = Array.from({ length: Math.ceil(size / hoist.partSize) }, (_, i) => i + 1)
      const there = state === 'stored' ? all : parts.stored.map((part) => part.number)
      const part = there.map((number) => xml({ PartNumber: number, ETag: 'kept by Hoist' }))
      return answer('ListPartsResult', { Part: part })
    }
    if (parts) throw new Error('this file goes in parts: try again')
    this.uppy.setFileState(key, { hoist: { ...hoist, fileId } })
    // In a retry the bytes may be there already, and only storage's answer was lost.
    const now = hoist.fileId && (await this.#ask('GET', `/uploads/${fileId}`))
    return { ...(now?.state === 'stored' ? answer('Stored', {}) : presigned(upload)), key: fileId }
  }

  // Always under the file's messageId: asking again is harmless, and tells what storage has.
  #announce(id) {
    const { name, size, type, hoist } = this.uppy.getFile(id)
    const file = { name, size, contentType: type || 'application/octet-stream' }
    return this.#ask('POST', '/files/upload', { messageId: hoist.messageId, file })
  }

  async #ask(method, path, body, patience = 30) {
    const json = { 'Content-Type': 'application/json', Prefer: 'wait=10' }
    const headers = { ...json, Authorization: `Bearer ${await this.opts.token()}` }
    const request = { method, headers, body: body && JSON.stringify(body) }
    const told = await fetch(this.opts.gateway + path, request)
    // In the queue, or joining: Hoist has waited for it already, and takes the same again.
    const isWaiting = told.status === 202 && method === 'POST'
    if (isWaiting && patience > 1) return this.#ask(method, path, body, patience - 1)
    const view = await told.json()
    if (told.ok && !isWaiting) return view
    throw Object.assign(new Error(view.detail ?? 'this takes long: try again'), { problem: view })
  }
}

// What AwsS3 sends; a Content-Length it may not set, the browser does.
const presigned = ({ url, headers: { 'Content-Length': _, ...headers } }) => ({ url, headers })
const xml = (members) => Object.entries(members).flatMap(([name, values]) =>
  [values].flat().map((value) => `<${name}>${value}</${name}>`)).join('')
const answer = (name, members) =>
  ({ url: `data:application/xml,${encodeURIComponent(xml({ [name]: xml(members) }))}` })
