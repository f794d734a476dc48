/* What scrolls by itself can be reached with the keyboard: wide tables, formulas and diagrams. */
document$.subscribe(() => {
  setTimeout(() => {
    for (const wide of document.querySelectorAll(".md-typeset__scrollwrap, div.formula, .diagram")) {
      if (wide.scrollWidth > wide.clientWidth) {
        wide.tabIndex = 0
      }
    }
  })
})
