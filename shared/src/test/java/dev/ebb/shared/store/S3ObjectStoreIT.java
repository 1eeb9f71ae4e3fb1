package dev.ebb.shared.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Secret;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class S3ObjectStoreIT extends ObjectStoreContract {
  private static final S3TestServer server = new S3TestServer();
  private final S3Config config = server.newBucket();

  @AfterAll
  static void stopServer() {
    server.close();
  }

  @Override
  ObjectStore open() {
    return new S3ObjectStore(config, 7); // so that a listing has several pages
  }

  @BeforeEach
  void checkSucceeds() {
    try (var store = new S3ObjectStore(config)) {
      assertThatCode(store::check).doesNotThrowAnyException();
      assertThat(store.list("")).isEmpty();
    }
  }

  @Test
  void missingBucketIsNamed() {
    assertCheckFails(server.config("no-such-bucket", S3TestServer.SECRET_KEY), "no-such-bucket")
        .hasMessageContaining("does not exist");
  }

  @Test
  void wrongSecretIsNamedAndNotShown() {
    assertCheckFails(server.config(config.bucket(), "wrong-secret"), config.bucket())
        .message()
        .doesNotContain("wrong-secret");
    try (var store = new S3ObjectStore(server.config(config.bucket(), "wrong-secret"))) {
      assertThatThrownBy(() -> store.get("a"))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("the access key or the secret key is wrong");
    }
    assertThat(config.toString()).doesNotContain(S3TestServer.SECRET_KEY);
  }

  @Test
  void endpointWhereNobodyAnswersIsNamed() {
    S3Config nobody = at("http://127.0.0.1:1");

    assertCheckFails(nobody, "http://127.0.0.1:1")
        .hasMessageContaining("no S3 server answers there");
  }

  @Test
  void endpointThatIsNoS3ServerIsUnavailable() throws Exception {
    HttpServer web = webServer(200, new AtomicInteger());
    try {
      assertCheckFails(at("http://127.0.0.1:" + web.getAddress().getPort()), "127.0.0.1");
    } finally {
      web.stop(0);
    }
  }

  @Test
  void serverErrorIsRetriedSoOftenAndNoOftener() throws Exception {
    var requests = new AtomicInteger();
    HttpServer web = webServer(503, requests);
    try (var store = new S3ObjectStore(at("http://127.0.0.1:" + web.getAddress().getPort()))) {
      assertThatThrownBy(() -> store.get("a")).isInstanceOf(EbbException.Unavailable.class);
      assertThat(requests.getAndSet(0)).isEqualTo(3);

      assertThatThrownBy(() -> store.putIfAbsent("a", bytes("x")))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("it may or may not have happened");
    } finally {
      web.stop(0);
    }
  }

  @Test
  void serverThatIgnoresConditionsIsRefused() {
    try (S3TestServer careless = S3TestServer.ignoringConditions()) {
      assertCheckFails(careless.newBucket(), "does not honour conditional writes")
          .hasMessageContaining("If-None-Match does not");
    }
  }

  @Test
  void keyThatMayOnlyReadIsToldWhatItLacks() throws Exception {
    HttpServer web = denying(java.util.Set.of("PUT", "DELETE"));
    try {
      assertCheckFails(at("http://127.0.0.1:" + web.getAddress().getPort()), "some-bucket")
          .hasMessageContaining("the access key may not write, delete: allow it to");
    } finally {
      web.stop(0);
    }
  }

  /** Lists nothing, finds nothing, and denies the methods named. */
  private static HttpServer denying(java.util.Set<String> methods) throws Exception {
    HttpServer web =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    web.createContext(
        "/",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          boolean list = exchange.getRequestURI().getRawQuery() != null;
          boolean denied = methods.contains(exchange.getRequestMethod());
          byte[] body =
              bytes(
                  list
                      ? "<ListBucketResult><Name>some-bucket</Name><Prefix/><MaxKeys>1</MaxKeys><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
                      : "<Error><Code>"
                          + (denied ? "AccessDenied" : "NoSuchKey")
                          + "</Code></Error>");
          exchange.getResponseHeaders().set("Content-Type", "application/xml");
          exchange.sendResponseHeaders(list ? 200 : denied ? 403 : 404, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    web.start();
    return web;
  }

  @Test
  void clockThatIsWrongIsTold() {
    try (var proxy = new FaultyProxy(server.endpoint())) {
      proxy.edit(head -> head.replaceFirst("Date: [^\r]*", "Date: Tue, 03 Jun 2008 11:05:30 GMT"));

      assertCheckFails(proxy.behind(config), "this machine's clock is")
          .hasMessageContaining("ahead of the server's: set both (NTP)");
    }
  }

  @Test
  void endpointThatSpeaksNoTlsIsTold() {
    assertCheckFails(
            at(server.endpoint().replace("http:", "https:")), "the server does not speak TLS")
        .hasMessageContaining("use an http:// endpoint");
  }

  @Test
  void noSecretIsInWhatAFailureSays() {
    var credentials =
        new S3Config.Credentials(
            new Secret("AKIAVISIBLE"), new Secret("hidden-key"), new Secret("hidden-token"));
    S3Config wrong =
        new S3Config(
            server.endpoint(),
            config.bucket(),
            "",
            "us-east-1",
            credentials,
            S3Config.Limits.DEFAULTS);
    try (var store = new S3ObjectStore(wrong)) {
      assertThatThrownBy(store::check)
          .satisfies(error -> {
            var trace = new java.io.StringWriter();
            error.printStackTrace(new java.io.PrintWriter(trace));
            assertThat(trace.toString()).doesNotContain("hidden", "AKIAVISIBLE", "Signature=");
          });
    }
    assertThat(wrong.toString()).doesNotContain("hidden", "AKIAVISIBLE");
  }

  @Test
  void wrongConfigurationIsReportedAllTogether() {
    assertThatThrownBy(() ->
            new S3Config(
                "ftp://x",
                "B",
                "/p",
                "",
                new S3Config.Credentials(new Secret(""), new Secret("")),
                new S3Config.Limits(0, 1, 1, 0, 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "endpoint",
            "bucket",
            "prefix",
            "region",
            "secret key",
            "timeouts",
            "attempts",
            "partBytes");
  }

  private S3Config at(String endpoint) {
    return new S3Config(
        endpoint,
        "some-bucket",
        "",
        "us-east-1",
        new S3Config.Credentials(new Secret("key"), new Secret("secret")),
        new S3Config.Limits(1_000, 1_000, 3_000, 3, S3Config.Limits.MIN_PART_BYTES));
  }

  private static HttpServer webServer(int status, AtomicInteger requests) throws Exception {
    HttpServer web =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    web.createContext(
        "/",
        exchange -> {
          requests.incrementAndGet();
          exchange.getRequestBody().readAllBytes();
          byte[] body = bytes("<html>hello</html>");
          exchange.sendResponseHeaders(
              status, "HEAD".equals(exchange.getRequestMethod()) ? -1 : body.length);
          if (!"HEAD".equals(exchange.getRequestMethod())) {
            exchange.getResponseBody().write(body);
          }
          exchange.close();
        });
    web.start();
    return web;
  }

  private static org.assertj.core.api.AbstractThrowableAssert<?, ?> assertCheckFails(
      S3Config config, String named) {
    try (var store = new S3ObjectStore(config)) {
      return assertThatThrownBy(store::check)
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining(named);
    }
  }
}
