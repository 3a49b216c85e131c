// The thread that one module handler runs in: its first file.
import { startThread } from "./thread-side.js";

await startThread();
