/** What a person does on a page and sees of it. */

import type { Tab } from './browser.ts';

/** The text of an element; undefined if there is none. */
export const text = (tab: Tab, selector: string): Promise<string | undefined> =>
  tab.evaluate((selector) => document.querySelector(selector)?.textContent ?? undefined, selector);

export const exists = (tab: Tab, selector: string): Promise<boolean> =>
  tab.evaluate((selector) => document.querySelector(selector) !== null, selector);

export const click = (tab: Tab, selector: string): Promise<void> =>
  tab.evaluate((selector) => document.querySelector<HTMLElement>(selector)?.click(), selector);

export const fill = (tab: Tab, selector: string, value: string): Promise<void> =>
  tab.evaluate(
    ([selector, value]) => {
      const field = document.querySelector<HTMLInputElement>(selector);
      if (!field) return;
      field.value = value;
      field.dispatchEvent(new Event('input', { bubbles: true }));
    },
    [selector, value] as const,
  );
