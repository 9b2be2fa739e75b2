/** A helper thread's name; any other sealed worker is an engine. */
export const THREAD = "loupe-sealed-thread";
