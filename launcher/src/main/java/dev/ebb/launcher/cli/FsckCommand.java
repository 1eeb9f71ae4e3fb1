package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.Json;
import java.io.Console;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ebb fsck}. */
@Command(
    name = "fsck",
    description = {
      "Check what is stored: every checksum of everything that branches and their history reach."
          + " Fails where something is damaged or missing.",
      "Objects that nothing refers to are listed, and collected by themselves."
    },
    footer = {"", "Example: ./ebb fsck shop"})
final class FsckCommand extends ApiCommand {
  private static final int BAR_WIDTH = 100;
  private static final List<String> KINDS = List.of("damaged", "missing", "orphans");

  @Parameters(
      arity = "0..1",
      paramLabel = "NAME",
      description = "The database to check; without one: all that is stored.")
  private @Nullable String database;

  @Override
  void ask(ApiClient client) throws Exception {
    Object opened =
        client.send(
            "POST", "/v1/checks", database == null ? Map.of() : Map.of("database", database));
    if (!(opened instanceof Map<?, ?> check) || !(check.get("id") instanceof String id)) {
      throw new CommandException("the server does not say which check it began");
    }
    String path = "/v1/checks/" + ApiClient.element(id);
    Map<String, List<Map<?, ?>>> found = new LinkedHashMap<>();
    KINDS.forEach(kind -> found.put(kind, new ArrayList<>()));
    Map<?, ?> last;
    try {
      last = follow(client, path, found);
    } finally {
      end(client, path);
    }
    tell(last, found);
    int problems = count(found, "damaged") + count(found, "missing");
    if (problems > 0) {
      out().flush();
      throw new CommandException(
          problems
              + (problems == 1 ? " thing is" : " things are")
              + " damaged or missing: restore these objects from a copy of the store");
    }
  }

  private static int count(Map<String, List<Map<?, ?>>> found, String kind) {
    return found.getOrDefault(kind, List.of()).size();
  }

  /** Asks until it is finished; shows a bar where somebody watches. */
  private Map<?, ?> follow(ApiClient client, String path, Map<String, List<Map<?, ?>>> found)
      throws Exception {
    boolean watched = Optional.ofNullable(System.console()).filter(Console::isTerminal).isPresent();
    if (options().json() || !watched) {
      return steps(client, path, found, null);
    }
    try (ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName("fsck")
            .setUnit(" MB", 1 << 20)
            .setStyle(ProgressBarStyle.ASCII)
            .setConsumer(new ConsoleProgressBarConsumer(System.err, BAR_WIDTH))
            .build()) {
      return steps(client, path, found, bar);
    }
  }

  private static Map<?, ?> steps(
      ApiClient client, String path, Map<String, List<Map<?, ?>>> found, @Nullable ProgressBar bar)
      throws Exception {
    while (true) {
      Object answer = client.send("POST", path + "/step", null);
      if (!(answer instanceof Map<?, ?> progress)) {
        throw new CommandException("the server does not say how far the check is");
      }
      found.forEach((kind, all) -> all.addAll(objects(progress, kind)));
      if (bar != null) {
        bar.maxHint(number(progress, "bytesTotal"));
        bar.stepTo(number(progress, "bytesDone"));
      }
      if (Boolean.TRUE.equals(progress.get("finished"))) {
        return progress;
      }
    }
  }

  /** A check that nobody ends ends by itself. */
  private static void end(ApiClient client, String path) {
    try {
      client.send("DELETE", path, null);
    } catch (ApiException e) {
      // What matters was told before.
    }
  }

  private void tell(Map<?, ?> last, Map<String, List<Map<?, ?>>> found) {
    if (options().json()) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("objects", number(last, "objects"));
      result.put("pages", number(last, "pages"));
      result.put("bytes", number(last, "bytesDone"));
      result.putAll(found);
      out().println(Json.write(result));
      return;
    }
    found.forEach((kind, all) -> all.forEach(one -> tell(kind, one)));
    out()
        .printf(
            "checked %d objects of %s and %d pages: %d damaged, %d missing, %d orphans%n",
            number(last, "objects"),
            PsCommand.bytes(number(last, "bytesDone")),
            number(last, "pages"),
            count(found, "damaged"),
            count(found, "missing"),
            count(found, "orphans"));
  }

  private void tell(String kind, Map<?, ?> finding) {
    String word = kind.equals("orphans") ? "orphan" : kind;
    out().println(word + " " + finding.get("object") + ": " + finding.get("problem"));
  }

  private static long number(Map<?, ?> object, String key) {
    return object.get(key) instanceof Number number ? number.longValue() : 0;
  }
}
