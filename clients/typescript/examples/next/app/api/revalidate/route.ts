import { revalidatePath } from "next/cache";

/** POST is what REVALIDATE_URL names: told of each publication, and again for a day until it answers. */
export async function POST(request: Request): Promise<Response> {
  const secret = process.env["REVALIDATE_SECRET"];
  if (!secret || request.headers.get("x-revalidate-secret") !== secret) return new Response("no", { status: 401 });
  const { paths } = (await request.json()) as { paths: string[] };
  for (const path of paths) revalidatePath(path);
  return Response.json({ revalidated: paths });
}
