import { ProblemError, type Submission } from "frontispiece-client";
import { pictures } from "../../../frontispiece";

/** POST asks for a picture and answers at once with the job. */
export async function POST(request: Request): Promise<Response> {
  const { prompt, title } = (await request.json()) as Pick<Submission, "prompt" | "title">;
  // The browser's own key, so that a double click is one job.
  const key = request.headers.get("Idempotency-Key");
  return answer(() => pictures.submit({ prompt, ...(title && { title }) }, key ? { idempotencyKey: key } : {}), 202);
}

/** GET ?id= waits with the browser, for as long as a function may run. */
export async function GET(request: Request): Promise<Response> {
  const id = new URL(request.url).searchParams.get("id") ?? "";
  return answer(() => pictures.job(id, { wait: 25, signal: request.signal }), 200);
}

async function answer(ask: () => Promise<unknown>, status: number): Promise<Response> {
  try {
    return Response.json(await ask(), { status });
  } catch (error) {
    if (error instanceof ProblemError) return Response.json(error.problem, { status: error.problem.status });
    throw error;
  }
}
