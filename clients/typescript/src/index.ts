export { Frontispiece, ProblemError, type ClientOptions, type RequestOptions, type SubmitOptions } from "./client.js";
export { waitForImage, JobEndedError, type WaitOptions } from "./wait.js";
export type * from "./types.js";
export type { components, operations, paths } from "./schema.js";
