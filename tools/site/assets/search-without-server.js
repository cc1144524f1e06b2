// Browsers start no worker from a page that was opened as a file. There the search runs in a hidden frame instead, which
// speaks the same language: `postMessage` and `onmessage`.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inner = this.frame.contentWindow
      // Later and as copies, as between a page and a worker.
      inner.postMessage = data => {
        const event = new MessageEvent("message", { data: structuredClone(data) })
        setTimeout(() => {
          if (this.onmessage) this.onmessage(event)
          this.dispatchEvent(event)
        })
      }
      const script = inner.document.createElement("script")
      script.src = new URL(address, document.baseURI).href
      this.ready = new Promise((resolve, reject) => {
        script.onload = () => resolve(inner)
        script.onerror = reject
      })
      inner.document.head.append(script)
    }

    postMessage(data) {
      const copy = structuredClone(data)
      this.ready.then(inner => setTimeout(() => {
        inner.dispatchEvent(new inner.MessageEvent("message", { data: copy }))
      }))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
