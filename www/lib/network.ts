/**
 * Tells `heard` of everything this thread asks the network for from now on. Each thread sees only its own requests.
 * Pictures shown from memory (`blob:`, `data:`) are not requests.
 */
export function watchRequests(heard: (url: string) => void): () => void {
  const since = performance.now();
  const observer = new PerformanceObserver((list) => {
    for (const { name, startTime } of list.getEntries()) {
      if (startTime >= since && /^(https?|wss?):/.test(name)) heard(name);
    }
  });
  observer.observe({ type: "resource", buffered: true });
  return () => observer.disconnect();
}
