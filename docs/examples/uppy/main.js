// The example page: choose files, press Upload.

import Uppy from '@uppy/core'
import { Hoist } from './hoist.js'

const form = document.forms[0]
const gateway = new URLSearchParams(location.search).get('gateway') ?? 'http://127.0.0.1:4500'
const uppy = new Uppy().use(Hoist, { gateway, token: () => form.token.value })
window.uppy = uppy // for the console: uppy.pauseAll(), uppy.resumeAll(), uppy.retryAll()

form.addEventListener('submit', (event) => {
  event.preventDefault()
  uppy.addFiles([...form.files.files].map((data) => ({ name: data.name, type: data.type, data })))
  uppy.upload()
})
uppy.on('upload-success', (file, { body }) => show(file, `stored as ${body.key}`))
uppy.on('upload-error', (file, error) => show(file, error.message))
uppy.on('upload-progress', (file, { bytesUploaded, bytesTotal }) =>
  show(file, `${bytesUploaded} of ${bytesTotal} bytes`),
)

function show(file, text) {
  const item = document.getElementById(file.id) ?? document.createElement('li')
  item.id = file.id
  item.textContent = `${file.name}: ${text}`
  document.querySelector('ul').append(item)
}
