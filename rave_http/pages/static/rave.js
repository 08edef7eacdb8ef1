// What makes pages handier. Everything works without it.
"use strict";
(() => {
  const copied = (button, text) => {
    const before = button.textContent;
    navigator.clipboard.writeText(text).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1500);
    }, () => {});
  };
  if (navigator.clipboard) {
    document.querySelectorAll("[data-copy]").forEach(button => {
      button.hidden = false;
      button.addEventListener("click", () => copied(button, document.getElementById(button.dataset.copy).textContent));
    });
    document.querySelectorAll("a[data-copy-link]").forEach(link => {
      link.textContent = "Copy link: " + link.textContent.toLowerCase();
      link.addEventListener("click", event => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        copied(link, link.href);
      });
    });
  }
  // Dragging over a chart in a frame chooses that time in the form of the page around it, and so do the arrow keys and Enter.
  const brush = (plot, form) => {
    const drawn = plot.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    drawn.setAttribute("height", String(plot.viewBox.baseVal.height));
    const at = event => {
      const box = plot.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    const moment = share => {
      const start = Number(plot.dataset.start), end = Number(plot.dataset.end);
      return new Date((start + share * (end - start)) * 1000).toISOString().slice(0, 19) + "Z";
    };
    const show = (first, last) => {
      drawn.setAttribute("x", String(first * 1000));
      drawn.setAttribute("width", String((last - first) * 1000));
    };
    const choose = (first, last) => {
      if (last - first < 0.01) return;
      form.querySelector("#from").value = moment(first);
      form.querySelector("#to").value = moment(last);
      form.requestSubmit();
    };
    let begun = null;
    plot.addEventListener("pointerdown", event => { begun = at(event); plot.setPointerCapture(event.pointerId); });
    plot.addEventListener("pointermove", event => {
      if (begun === null) return;
      const now = at(event);
      show(Math.min(begun, now), Math.max(begun, now));
    });
    plot.addEventListener("pointerup", event => {
      const now = at(event), first = Math.min(begun, now), last = Math.max(begun, now);
      begun = null;
      choose(first, last);
    });
    plot.tabIndex = 0;
    plot.setAttribute("aria-label", plot.getAttribute("aria-label") + ". Arrow keys choose a time, with Shift its length; Enter shows it.");
    let keyed = null;
    plot.addEventListener("keydown", event => {
      const by = {ArrowLeft: -0.025, ArrowRight: 0.025}[event.key];
      if (by) {
        const [first, last] = keyed ?? [0.45, 0.55];
        const moved = [event.shiftKey ? first : first + by, last + by].map(each => Math.min(1, Math.max(0, each)));
        keyed = keyed === null ? [first, last] : moved[0] < moved[1] ? moved : keyed;
        show(...keyed);
        event.preventDefault();
      } else if (event.key === "Enter" && keyed) {
        choose(...keyed);
      } else if (event.key === "Escape") {
        keyed = null;
        show(0, 0);
      }
    });
  };
  const form = parent !== window ? parent.document.querySelector("form.asking") : null;
  if (form && form.querySelector("#from")) document.querySelectorAll("svg[data-start]").forEach(plot => brush(plot, form));
  const words = seconds => {
    if (seconds < 60) return Math.ceil(seconds) + " s";
    const minutes = Math.ceil(seconds / 60);
    if (minutes < 60) return minutes + " min";
    if (minutes < 2880) return Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + minutes % 60 + " min" : "");
    return Math.round(minutes / 1440) + " d";
  };
  const clocks = [...document.querySelectorAll("[data-until]")];
  const tick = () => {
    for (const clock of clocks) {
      const left = Number(clock.dataset.until) - Date.now() / 1000;
      clock.textContent = left > 0 ? words(left) : "no longer: it has expired";
    }
  };
  if (clocks.length) setInterval(tick, 1000);
})();
