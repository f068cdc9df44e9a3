/** Loads a vendored library when it is first needed; it leaves its name in `window`. */

import { Trouble } from "./trouble.js";

const loading = new Map();

export function library(file, name) {
  if (!loading.has(file)) {
    loading.set(file, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `/player/vendor/${file}`;
      script.onload = () => resolve(window[name]);
      script.onerror = () => {
        loading.delete(file);
        reject(new Trouble(`${file} could not be loaded.`, "Reload this page, or choose Progressive: it needs no library."));
      };
      document.head.append(script);
    }));
  }
  return loading.get(file);
}
