package dev.ebb.gateway.compat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which of the suite's tests do not pass, where, and why: lines of a test's name, a mode ({@code
 * direct}, {@code session} or {@code pool}, several with commas between) and the reason, with bars
 * between. In front of a mode a {@code ?} stands where it depends on what comes first; then the
 * name may have stars in it.
 */
record KnownDifferences(List<Entry> entries) {
  private static final String FAILED = "failed";

  /**
   * One mode of a line.
   *
   * @param isSure whether the test always fails
   */
  record Entry(String test, Pattern tests, String mode, boolean isSure) {
    boolean concerns(String inMode, String name) {
      return mode.equals(inMode) && tests.matcher(name).matches();
    }
  }

  static KnownDifferences read() throws IOException {
    try (InputStream in = KnownDifferences.class.getResourceAsStream("known-differences.txt")) {
      byte[] bytes = Objects.requireNonNull(in).readAllBytes();
      return parse(new String(bytes, StandardCharsets.UTF_8));
    }
  }

  static KnownDifferences parse(String text) {
    var entries = new ArrayList<Entry>();
    text.lines()
        .filter(line -> !line.isBlank() && !line.startsWith("#"))
        .forEach(line -> entries.addAll(entriesOf(line)));
    return new KnownDifferences(List.copyOf(entries));
  }

  private static List<Entry> entriesOf(String line) {
    String[] columns = line.split(" \\| ", 3);
    if (columns.length < 3 || columns[2].isBlank()) {
      throw new IllegalArgumentException("a known difference needs a reason: " + line);
    }
    var entries = new ArrayList<Entry>();
    var tests = Pattern.compile(Pattern.quote(columns[0]).replace("*", "\\E.*\\Q"));
    for (String mode : columns[1].split(", ", -1)) {
      boolean isSure = !mode.startsWith("?");
      if (isSure && columns[0].contains("*")) {
        throw new IllegalArgumentException("what always fails is to be named: " + line);
      }
      entries.add(new Entry(columns[0], tests, isSure ? mode : mode.substring(1), isSure));
    }
    return entries;
  }

  /**
   * What fails and is not listed, what is listed and does not fail, and what is passed over in one
   * mode only.
   *
   * @param isAll whether all tests were run, so that an entry for none of them is out of date
   */
  List<String> judge(Map<String, Map<String, ClientSuite.Result>> byMode, boolean isAll) {
    var wrong = new ArrayList<String>();
    byMode.forEach((mode, results) -> {
      Map<String, ClientSuite.Result> direct = byMode.getOrDefault("direct", results);
      results.forEach((test, result) ->
          judge(mode, test, result, direct.getOrDefault(test, result)).ifPresent(wrong::add));
      entries.stream()
          .filter(each -> isAll && each.mode().equals(mode))
          .filter(each -> results.keySet().stream().noneMatch(test -> each.concerns(mode, test)))
          .forEach(each -> wrong.add(mode + " | " + each.test() + ": there is no such test"));
    });
    return wrong;
  }

  private Optional<String> judge(
      String mode, String test, ClientSuite.Result result, ClientSuite.Result direct) {
    Optional<Entry> known = entries.stream().filter(each -> each.concerns(mode, test)).findFirst();
    boolean failed = result.outcome().equals(FAILED);
    String what = mode + " | " + test + ": ";
    if (failed && known.isEmpty()) {
      return Optional.of(what + result.why());
    }
    if (!failed && known.isPresent() && known.get().isSure()) {
      return Optional.of(what + "is listed and " + result.outcome());
    }
    boolean isSkippedHere =
        !failed && !direct.outcome().equals(FAILED) && !direct.outcome().equals(result.outcome());
    return isSkippedHere
        ? Optional.of(what + result.outcome() + ", directly " + direct.outcome())
        : Optional.empty();
  }
}
