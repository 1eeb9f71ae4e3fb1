package dev.ebb.launcher.up;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;

/** Tells, one line each, what is done and how long it took. */
final class Progress {
  private final PrintWriter out;

  Progress(PrintWriter out) {
    this.out = out;
  }

  synchronized void say(String line) {
    out.println(line);
    out.flush();
  }

  /** Does a step and tells of it once it is done. */
  <T> T step(String name, Callable<T> step) throws Exception {
    long start = System.nanoTime();
    T result = step.call();
    say(
        String.format(
            Locale.ROOT, "  %-15s %5.1f s", name, (System.nanoTime() - start) / 1_000_000_000.0));
    return result;
  }
}
