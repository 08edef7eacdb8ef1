// A page that shows its newest state without being loaded again: when something happens, and now and then.
"use strict";
(() => {
  const {events, page, seconds} = document.currentScript.dataset;
  const QUIET = 1000;  // milliseconds between two looks
  let last = 0, waiting = null, isLooking = false;
  // Only what differs is exchanged: the rest keeps its focus and its scrolling.
  const merge = (old, now) => {
    const before = [...old.childNodes], after = [...now.childNodes];
    after.forEach((each, at) => {
      const here = before[at];
      if (!here) old.append(each);
      else if (here.isEqualNode(each)) return;
      else if (here.nodeType === 1 && here.cloneNode().isEqualNode(each.cloneNode())) merge(here, each);
      else here.replaceWith(each);
    });
    before.slice(after.length).forEach(each => each.remove());
  };
  const look = () => {
    waiting = null;
    if (isLooking || document.hidden) return;
    isLooking = true;
    last = Date.now();
    const asked = new XMLHttpRequest();
    asked.open("GET", page + "?part=main");
    asked.responseType = "document";  // a document whose scripts never run
    asked.timeout = 20000;
    asked.onload = () => {
      const now = asked.status === 200 && asked.response && asked.response.querySelector("main");
      if (now) merge(document.querySelector("main"), now);
    };
    asked.onloadend = () => { isLooking = false; };
    asked.send();
  };
  const soon = () => { waiting ??= setTimeout(look, Math.max(0, last + QUIET - Date.now())); };
  document.addEventListener("visibilitychange", soon);
  setInterval(soon, Number(seconds) * 1000);
  const heard = new EventSource(events);
  for (const name of ["job.started", "job.finished", "job.failed", "job.cancelled", "namespace.loaded", "namespace.failed",
    "namespace.gone"]) heard.addEventListener(name, soon);
})();
