package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.Json;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** A command that asks the API and prints the answer. */
@Command(mixinStandardHelpOptions = true, versionProvider = EbbCommand.Version.class)
abstract class ApiCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private ApiOptions options = new ApiOptions();

  abstract void ask(ApiClient client) throws Exception;

  @Override
  public final Integer call() throws Exception {
    ask(options.client(this::tellWaiting));
    out().flush();
    return ExitCodes.OK;
  }

  /** Beside the answer: it may go into a file, or be JSON. */
  private void tellWaiting(Duration waited) {
    PrintWriter err = spec.commandLine().getErr();
    err.println("the server is still at work, for " + waited.toSeconds() + " s by now");
    err.flush();
  }

  final ApiOptions options() {
    return options;
  }

  final PrintWriter out() {
    return spec.commandLine().getOut();
  }

  /** Prints the API's own answer with {@code --json}, otherwise the line. */
  final void answer(@Nullable Object json, String line) {
    out().println(options.json() ? Json.write(json) : line);
  }

  /** The objects in the array under {@code key}. */
  static List<Map<?, ?>> objects(@Nullable Object answer, String key) {
    List<Map<?, ?>> objects = new ArrayList<>();
    if (answer instanceof Map<?, ?> map && map.get(key) instanceof List<?> items) {
      for (Object item : items) {
        if (item instanceof Map<?, ?> object) {
          objects.add(object);
        }
      }
    }
    return objects;
  }

  /** The owner of a database. */
  static String ownerOf(ApiClient client, String database) throws ApiException, CommandException {
    Object found = client.send("GET", "/v1/databases/" + ApiClient.element(database), null);
    if (found instanceof Map<?, ?> fields && fields.get("owner") instanceof String owner) {
      return owner;
    }
    throw new CommandException("the server does not say who owns \"" + database + "\"");
  }
}
