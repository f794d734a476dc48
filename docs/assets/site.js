/* What scrolls by itself can be reached with the keyboard: wide tables, formulas, diagrams and figures. */
document$.subscribe(() => {
  setTimeout(() => {
    for (const wide of document.querySelectorAll(".md-typeset__scrollwrap, div.formula, .diagram, figure")) {
      if (wide.scrollWidth > wide.clientWidth) {
        wide.tabIndex = 0
      }
    }
  })
})
