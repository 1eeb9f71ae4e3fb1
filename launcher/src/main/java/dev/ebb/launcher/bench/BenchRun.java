package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.Json;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** What every benchmark does around its measuring: it prints the result, and cleans up behind. */
final class BenchRun {
  private BenchRun() {}

  /** What was measured. */
  interface Report {
    /** For people. */
    String text();

    /** For machines. */
    Map<String, Object> json();
  }

  /** Measures; what is to be taken away afterwards is told to the cleanup. */
  interface Measuring {
    Report measure(Cleanup cleanup) throws Exception;
  }

  /** Measures and prints; returns the exit code. */
  static int run(CommandSpec spec, boolean json, Measuring measuring) throws Exception {
    try (var cleanup = new Cleanup()) {
      try {
        Report report = measuring.measure(cleanup);
        var out = spec.commandLine().getOut();
        out.println(json ? Json.write(report.json()) : report.text());
        out.flush();
      } catch (Exception e) {
        // After Ctrl-C everything fails, and the end of the run is all that it tells.
        if (!cleanup.hasBegun()) {
          throw e;
        }
      }
    }
    return 0;
  }
}
