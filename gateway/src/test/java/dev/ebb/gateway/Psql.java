package dev.ebb.gateway;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs libpq's own client. */
record Psql(int exit, String output) {

  /** psql with a connection string and arguments; PGPASSWORD as given. */
  static Psql run(String password, String connection, String... arguments) {
    var command = new ArrayList<>(List.of("psql", "-X", "-A", "-t", connection));
    command.addAll(List.of(arguments));
    return runCommand(password, command);
  }

  static Psql runCommand(String password, List<String> command) {
    try {
      Process process = start(password, command);
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(120, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError("psql hangs: " + output);
      }
      return new Psql(process.exitValue(), output.strip());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  static Process start(String password, List<String> command) throws IOException {
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("PGPASSWORD", password);
    builder.environment().put("PGCONNECT_TIMEOUT", "30");
    return builder.start();
  }
}
