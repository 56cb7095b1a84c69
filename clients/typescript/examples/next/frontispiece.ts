import { Frontispiece } from "frontispiece-client";

/** For the server alone: the token never reaches a browser. */
export const pictures = new Frontispiece({
  baseURL: process.env["FRONTISPIECE_URL"] ?? "http://127.0.0.1:8000",
  token: process.env["FRONTISPIECE_TOKEN"] ?? "",
});
