// Keys go to the terminal without a click, as soon as the dashboard is seen: textual.js then gives the body the class -first-byte.
new MutationObserver((_, observer) => {
  if (document.body.classList.contains("-first-byte")) {
    observer.disconnect();
    document.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(document.body, { attributeFilter: ["class"] });
