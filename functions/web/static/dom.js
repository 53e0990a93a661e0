// The few things that every panel does with the page. Text is only ever text: nothing here can make markup of it.

export const find = (id) => document.getElementById(id);

/** Make an element: make("p", {class: "note"}, "text", child). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Change a text only when it differs: an equal text would still cost a layout. */
export function say(element, text) {
  if (element.firstChild?.nodeType === 3 && !element.firstChild.nextSibling) {
    if (element.firstChild.data !== text) element.firstChild.data = text;
  } else if (element.textContent !== text) element.textContent = text;
}

export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export const show = (element, visible) => {
  if (element.hidden === visible) element.hidden = !visible;
};
