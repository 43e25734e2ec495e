/** A React root without a page: for components that draw nothing, and are looked at from inside. */

import type { ReactNode } from 'react';

/** What of a page React looks at before anything is drawn. */
function pretendPage(): Element {
  const listens = { addEventListener: () => {}, removeEventListener: () => {} };
  const document = {
    ...listens,
    nodeType: 9,
    activeElement: null,
    createElement: () => ({ setAttribute: () => {}, style: {} }),
    visibilityState: 'hidden',
  };
  const window = { ...listens, document, event: undefined, HTMLIFrameElement: class {} };
  const globals = { window, document, navigator: { userAgent: '' }, IS_REACT_ACT_ENVIRONMENT: true };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
  }
  return { ...listens, nodeType: 1, tagName: 'DIV', ownerDocument: document } as unknown as Element;
}

/** A root, and the way to let happen what it leads to. */
export async function root(): Promise<{
  render(node: ReactNode): Promise<void>;
  act(run: () => void | Promise<void>): Promise<void>;
  unmount(): Promise<void>;
}> {
  const container = pretendPage();
  // React looks for a page when it is loaded.
  const { act } = await import('react');
  const { createRoot } = await import('react-dom/client');
  const drawn = createRoot(container);
  const settle = (run: () => void | Promise<void>) =>
    act(async () => {
      await run();
    });
  return {
    act: settle,
    render: (node) => settle(() => drawn.render(node)),
    unmount: () => settle(() => drawn.unmount()),
  };
}
