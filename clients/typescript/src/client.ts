import type * as api from "./types.js";

/** What the API answered instead of what was asked for: branch on `problem.code`. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  constructor(
    readonly problem: api.Problem,
    /** Seconds that the API asks to wait before the same request, if it does. */
    readonly retryAfter?: number,
  ) {
    super(problem.detail);
  }
}

export interface ClientOptions {
  /** Where the API is, such as "https://pictures.example.com". */
  baseURL: string;
  /** A bearer token, or how to get a fresh one. Keep it on the server where you can. */
  token?: string | (() => string | Promise<string>);
  /** Another fetch, for tests or for a framework's own. */
  fetch?: typeof fetch;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
}

export interface SubmitOptions extends RequestOptions {
  /** The same key with the same body is the same job. Left out: a random one. */
  idempotencyKey?: string;
  /** Seconds, 1 to 120, to wait for the job to end before it is answered. */
  wait?: number;
}

/** How often a request that is safe to repeat is tried when nobody answers. */
const tries = 3;

/** A client of the jobs API. Paths that an answer's `urls` name can be given to `request`. */
export class Frontispiece {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Asks for pictures. A repeat after a lost answer never makes a second job. */
  async submit(body: api.Submission, options: SubmitOptions = {}): Promise<api.Job> {
    const headers: Record<string, string> = { "Idempotency-Key": options.idempotencyKey ?? crypto.randomUUID() };
    if (options.wait) headers["Prefer"] = `wait=${options.wait}`;
    return this.request<api.Job>("POST", "/v1/jobs", { ...options, body, headers, repeatable: true });
  }

  /** Looks at a job or, with `wait` seconds, waits for it to end. */
  job(id: string, options: RequestOptions & { wait?: number } = {}): Promise<api.Job> {
    return this.request("GET", `/v1/jobs/${encodeURIComponent(id)}` + query({ wait: options.wait }), options);
  }

  jobs(filter: api.JobFilter = {}, options: RequestOptions = {}): Promise<api.JobList> {
    return this.request("GET", "/v1/jobs" + query(filter), options);
  }

  cancel(id: string, options: RequestOptions = {}): Promise<api.Job> {
    return this.request("POST", `/v1/jobs/${encodeURIComponent(id)}/cancel`, options);
  }

  retry(id: string, options: RequestOptions = {}): Promise<api.Job> {
    return this.request("POST", `/v1/jobs/${encodeURIComponent(id)}/retry`, options);
  }

  draft(id: string, options: RequestOptions = {}): Promise<api.Draft> {
    return this.request("GET", `/v1/drafts/${encodeURIComponent(id)}`, options);
  }

  drafts(filter: api.DraftFilter = {}, options: RequestOptions = {}): Promise<api.DraftList> {
    return this.request("GET", "/v1/drafts" + query(filter), options);
  }

  /** Approves a draft. Name the picture that was on the screen and no other is published. */
  approve(id: string, body: api.ApproveRequest = {}, options: RequestOptions = {}): Promise<api.Decision> {
    return this.request("POST", `/v1/drafts/${encodeURIComponent(id)}/approve`, { ...options, body });
  }

  reject(id: string, body: api.RejectRequest, options: RequestOptions = {}): Promise<api.Decision> {
    return this.request("POST", `/v1/drafts/${encodeURIComponent(id)}/reject`, { ...options, body });
  }

  choose(id: string, imageID: string, options: RequestOptions = {}): Promise<api.Draft> {
    return this.request("POST", `/v1/drafts/${encodeURIComponent(id)}/choose`, { ...options, body: { image_id: imageID } });
  }

  /** Reads a post by its id or slug. */
  post(id: string, options: RequestOptions = {}): Promise<api.Post> {
    return this.request("GET", `/v1/posts/${encodeURIComponent(id)}`, options);
  }

  capabilities(options: RequestOptions = {}): Promise<api.Capabilities> {
    return this.request("GET", "/v1/capabilities", options);
  }

  /** An address that a browser can open: pictures kept by the API have a path alone. */
  url(path: string): string {
    return new URL(path, this.#options.baseURL).href;
  }

  /** Sends a request and reads its JSON; a refusal is thrown as a ProblemError. */
  async request<T>(
    method: string,
    path: string,
    options: RequestOptions & { body?: unknown; headers?: Record<string, string>; repeatable?: boolean } = {},
  ): Promise<T> {
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
    if (options.body !== undefined) headers["Content-Type"] = "application/json";
    const init: RequestInit = { method, headers, body: options.body === undefined ? null : JSON.stringify(options.body), signal: options.signal ?? null };
    const response = await this.#send(path, init, options.repeatable || method === "GET" ? tries : 1);
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as T;
  }

  /** The response itself, for streams. */
  async open(path: string, init: RequestInit): Promise<Response> {
    const { token, fetch: custom } = this.#options;
    const headers = new Headers(init.headers);
    const bearer = typeof token === "function" ? await token() : token;
    if (bearer) headers.set("Authorization", `Bearer ${bearer}`);
    return (custom ?? fetch)(this.url(path), { ...init, headers });
  }

  async #send(path: string, init: RequestInit, left: number): Promise<Response> {
    for (let pause = 500; ; pause *= 2) {
      try {
        return await this.open(path, init);
      } catch (error) {
        if (--left < 1 || init.signal?.aborted) throw error;
        await sleep(pause, init.signal ?? undefined);
      }
    }
  }
}

/** Reads a refusal. What stands before the API may refuse in words of its own. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const text = await response.text();
  let problem: api.Problem;
  try {
    problem = JSON.parse(text) as api.Problem;
    if (typeof problem.code !== "string") throw new Error("not a problem");
  } catch {
    problem = { title: response.statusText, status: response.status, code: "http_" + response.status, detail: text.slice(0, 200) || response.statusText };
  }
  const after = Number(response.headers.get("Retry-After"));
  return new ProblemError(problem, after > 0 ? after : undefined);
}

/** Waits some milliseconds, or throws the signal's reason as soon as it is aborted. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const aborted = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

function query(parameters: Record<string, unknown>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text && "?" + text;
}
