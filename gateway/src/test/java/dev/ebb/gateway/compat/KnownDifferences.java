package dev.ebb.gateway.compat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which of the suite's tests do not pass, where, and why: lines of a test's name, a mode ({@code
 * direct}, {@code session} or {@code pool}, several with commas between) and the reason, with bars
 * between. In front of a mode a {@code ?} stands where it depends on the clock.
 */
record KnownDifferences(Map<String, String> byTest) {

  static KnownDifferences read() throws IOException {
    try (InputStream in = KnownDifferences.class.getResourceAsStream("known-differences.txt")) {
      var all = new HashMap<String, String>();
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      for (String line : text.lines().filter(each -> !each.isBlank()).toList()) {
        if (line.startsWith("#")) {
          continue;
        }
        String[] columns = line.split(" \\| ", 3);
        if (columns.length < 3 || columns[2].isBlank()) {
          throw new IllegalStateException("a known difference needs a reason: " + line);
        }
        for (String mode : columns[1].split(", ", -1)) {
          boolean isSure = !mode.startsWith("?");
          String key = (isSure ? mode : mode.substring(1)) + " " + columns[0];
          all.put(key, isSure ? "always" : "sometimes");
        }
      }
      return new KnownDifferences(all);
    }
  }

  /** What does not pass and is not listed, and what is listed and passes. */
  List<String> judge(Map<String, Map<String, ClientSuite.Result>> byMode) {
    var wrong = new ArrayList<String>();
    byMode.forEach((mode, results) -> results.forEach((test, result) -> {
      String known = byTest.getOrDefault(mode + " " + test, "never");
      boolean failed = result.outcome().equals("failed");
      if (failed && known.equals("never")) {
        wrong.add(mode + " | " + test + ": " + result.why());
      } else if (!failed && known.equals("always")) {
        wrong.add(mode + " | " + test + ": is listed and " + result.outcome());
      }
      ClientSuite.Result direct = byMode.getOrDefault("direct", Map.of()).get(test);
      if (direct != null
          && !failed
          && !direct.outcome().equals("failed")
          && !direct.outcome().equals(result.outcome())) {
        wrong.add(mode + " | " + test + ": " + result.outcome() + ", directly " + direct.outcome());
      }
    }));
    return wrong;
  }
}
