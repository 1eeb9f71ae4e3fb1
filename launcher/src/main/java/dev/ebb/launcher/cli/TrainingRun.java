package dev.ebb.launcher.cli;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * Runs the commands once against an API that is not real, so that the JVM that does it can record
 * which classes they need: the cache that the {@code ebb} script gives to later JVMs.
 */
public final class TrainingRun {
  private static final String ANSWER =
      """
      {"databases":[{"name":"shop","owner":"app","state":"RUNNING","uptimeMs":1,"truth":true}]}\
      """;

  private TrainingRun() {}

  public static void main(String[] arguments) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          byte[] answer = ANSWER.getBytes(StandardCharsets.UTF_8);
          exchange.getResponseHeaders().set("Content-Type", "application/json");
          exchange.sendResponseHeaders(200, answer.length);
          exchange.getResponseBody().write(answer);
          exchange.close();
        });
    server.start();
    String url = "http://127.0.0.1:" + server.getAddress().getPort();
    for (List<String> command :
        List.of(
            List.of("db", "list"),
            List.of("db", "list", "--json"),
            List.of("db", "create", "shop"),
            List.of("db", "drop", "shop", "--yes"),
            List.of("suspend", "shop"),
            List.of("wake", "shop"),
            List.of("ps"),
            List.of("psql", "shop"))) {
      execute(url, command);
    }
    StandardOutput.watch();
    EbbCommand.commandLine(Map.of()).setOut(nowhere()).execute("--help");
    var _ = StandardOutput.exitCode(ExitCodes.OK);
    server.stop(0);
  }

  private static void execute(String url, List<String> command) {
    String[] words = new String[command.size() + 4];
    command.toArray(words);
    words[words.length - 4] = "--url";
    words[words.length - 3] = url;
    words[words.length - 2] = "--token";
    words[words.length - 1] = "none";
    EbbCommand.commandLine(Map.of(), words).setOut(nowhere()).setErr(nowhere()).execute(words);
  }

  private static PrintWriter nowhere() {
    return new PrintWriter(Writer.nullWriter());
  }
}
