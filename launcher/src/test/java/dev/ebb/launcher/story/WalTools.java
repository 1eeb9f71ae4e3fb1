package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.cli.EbbCommand;
import dev.ebb.launcher.wal.WalCommand;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * {@code ebb wal} in this process, which is quicker than in one of its own, beside a server that
 * runs.
 *
 * @param data the server's data directory
 */
record WalTools(Path data) {
  private static final Pattern LAST_BEFORE =
      Pattern.compile("last before: \\S+ at \\S+ to ([0-9A-F]+/[0-9A-F]+), ");

  /** What it prints; it must end well. */
  String run(String... words) {
    String[] all =
        Stream.of(List.of("wal"), List.of(words), List.of("--data", data.toString()))
            .flatMap(List::stream)
            .toArray(String[]::new);
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        EbbCommand.commandLine(Map.of("wal", WalCommand::new), all)
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(all);
    assertThat(code).as("%s: %s %s", String.join(" ", words), out, err).isZero();
    return out.toString();
  }

  /** Where the last transaction before a time ended. */
  String lastBefore(String branch, String time) {
    String found = run("find", branch, "--time", time);
    Matcher matcher = LAST_BEFORE.matcher(found);
    assertThat(matcher.find()).as(found).isTrue();
    return matcher.group(1);
  }
}
