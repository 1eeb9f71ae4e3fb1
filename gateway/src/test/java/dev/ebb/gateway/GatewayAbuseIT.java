package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.buffer.Buffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GatewayAbuseIT {
  private static final int SSL_REQUEST = 80877103;
  private static final int GSSENC_REQUEST = 80877104;

  @TempDir Path directory;

  @SuppressWarnings("NullAway.Init") // every test starts its own
  private GatewayFixture gateway;

  @AfterEach
  void stop() {
    gateway.close();
  }

  private void start() {
    gateway = new GatewayFixture(directory);
  }

  private String answerTo(byte[] bytes) throws Exception {
    try (var client = RawClient.connect(gateway.port)) {
      client.send(bytes);
      return client.readToEnd();
    }
  }

  private void assertOthersWork() {
    assertThat(gateway.psql("SELECT 1")).isEqualTo(new Psql(0, "1"));
  }

  @Test
  void garbageIsAnsweredWithAnError() throws Exception {
    start();
    var random = new Random(7);
    for (int i = 0; i < 50; i++) {
      var garbage = new byte[8 + random.nextInt(50_000)];
      random.nextBytes(garbage);
      garbage[0] |= 0x40; // no possible length
      assertThat(answerTo(garbage)).startsWith("E").contains("C08P01");
    }
    assertThat(
            answerTo(
                "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
                    .getBytes(java.nio.charset.StandardCharsets.US_ASCII)))
        .contains("is this a PostgreSQL client?");
    assertOthersWork();
  }

  @Test
  void impossibleStartupPacketsAreRefused() throws Exception {
    start();
    assertThat(answerTo(startup(10_005))).contains("C08P01");
    assertThat(answerTo(Buffer.buffer().appendInt(Integer.MAX_VALUE).getBytes())).contains("08P01");
    assertThat(answerTo(Buffer.buffer().appendInt(-1).getBytes())).contains("C08P01");
    assertThat(answerTo(Buffer.buffer().appendInt(0).getBytes())).contains("C08P01");
    assertThat(answerTo(Buffer.buffer().appendInt(8).appendInt(2 << 16).getBytes()))
        .contains("C08P01", "unsupported frontend protocol 2.0");
    assertThat(
            answerTo(
                Buffer.buffer().appendInt(12).appendInt(3 << 16).appendString("user").getBytes()))
        .contains("C08P01");
    assertThat(
            answerTo(
                Buffer.buffer().appendInt(9).appendInt(3 << 16).appendByte((byte) 0).getBytes()))
        .contains("C28000", "no PostgreSQL user name");
    assertOthersWork();
  }

  private static byte[] startup(int length) {
    Buffer packet = Buffer.buffer().appendInt(length).appendInt(3 << 16).appendString("user\0");
    while (packet.length() < length) {
      packet.appendByte((byte) 'x');
    }
    return packet.getBytes();
  }

  @Test
  void truncatedStartupPacketIsClosedAtTheDeadline() throws Exception {
    gateway = new GatewayFixture(directory, c -> c.withTimeouts(300, 5_000));
    try (var client = RawClient.connect(gateway.port)) {
      client.send(Buffer.buffer().appendInt(100).appendInt(3 << 16).getBytes());
      assertThat(client.readToEnd()).contains("the login took too long");
    }
    try (var client = RawClient.connect(gateway.port)) {
      client.startup("app", "shop");
      client.expect('R');
      assertThat(client.readToEnd()).contains("the login took too long");
    }
    Await.until("no session", () -> gateway.gauge("ebb.gateway.connections") == 0);
  }

  @Test
  void bytesBehindASecurityRequestAreRefused() throws Exception {
    start();
    for (int code : new int[] {SSL_REQUEST, GSSENC_REQUEST}) {
      byte[] both =
          Buffer.buffer().appendInt(8).appendInt(code).appendBytes(startup(200)).getBytes();
      assertThat(answerTo(both)).startsWith("E").contains("unencrypted data");
    }
  }

  @Test
  void bytesInTheClearBehindTheAnswerToSslRequestNeverCount() throws Exception {
    start();
    try (var client = RawClient.connect(gateway.port)) {
      client.send(Buffer.buffer().appendInt(8).appendInt(SSL_REQUEST).getBytes());
      assertThat(client.readByte()).isEqualTo('S');
      client.startup("app", "shop");
      assertThat(client.readToEnd()).doesNotContain("SCRAM");
    }
    assertThat(gateway.computes.lookups).hasValue(0);
  }

  @Test
  void gssEncryptionIsDeclinedOnce() throws Exception {
    start();
    try (var client = RawClient.connect(gateway.port)) {
      byte[] request = Buffer.buffer().appendInt(8).appendInt(GSSENC_REQUEST).getBytes();
      client.send(request);
      assertThat(client.readByte()).isEqualTo('N');
      client.send(request);
      assertThat(client.readToEnd()).contains("C08P01");
    }
  }

  @Test
  void newerMinorVersionIsNegotiatedDown() throws Exception {
    start();
    try (var client = RawClient.connect(gateway.port)) {
      Buffer packet =
          Buffer.buffer()
              .appendInt(0)
              .appendInt((3 << 16) + 3)
              .appendString("user\0app\0database\0shop\0_pq_.odd\0on\0\0");
      client.send(packet.setInt(0, packet.length()).getBytes());
      assertThat(client.expect('v')).isEqualTo("\0\3\0\2\0\0\0\1_pq_.odd\0");
      client.authenticate(RealPostgres.PASSWORD);
      assertThat(client.readUntilReady()).contains("server_version");
    }
  }

  @Test
  void malformedLoginMessagesAreRefused() throws Exception {
    start();
    byte[][] messages = {
      Buffer.buffer("Q").appendInt(4).getBytes(),
      Buffer.buffer("p").appendInt(100_000).getBytes(),
      Buffer.buffer("p").appendInt(3).getBytes(),
      Buffer.buffer("p").appendInt(12).appendString("PLAINabc").getBytes(),
      Buffer.buffer("p")
          .appendInt(4 + 6 + 4 + 1)
          .appendString("PLAIN\0")
          .appendInt(1)
          .appendString("x")
          .getBytes(),
      Buffer.buffer("p")
          .appendInt(4 + 14 + 4)
          .appendString("SCRAM-SHA-256\0")
          .appendInt(-1)
          .getBytes(),
      Buffer.buffer("p")
          .appendInt(4 + 14 + 4 + 6)
          .appendString("SCRAM-SHA-256\0")
          .appendInt(6)
          .appendString("y,,r=x")
          .getBytes(),
    };
    for (byte[] message : messages) {
      try (var client = RawClient.connect(gateway.port)) {
        client.startup("app", "shop");
        client.expect('R');
        client.send(message);
        assertThat(client.readToEnd()).startsWith("E").contains("C08P01");
      }
    }
    assertOthersWork();
  }

  @Test
  void thousandSilentConnectionsHurtNobody() throws Exception {
    start();
    var silent = new ArrayList<RawClient>();
    try {
      for (int i = 0; i < 1_000; i++) {
        silent.add(RawClient.connect(gateway.port));
      }
      Await.until("the connections", () -> gateway.gauge("ebb.gateway.connections") == 1_000);
      for (int i = 0; i < 20; i++) {
        assertOthersWork();
      }
    } finally {
      for (RawClient client : silent) {
        client.close();
      }
    }
    Await.until("no session", () -> gateway.gauge("ebb.gateway.connections") == 0);
    assertThat(gateway.gauge("ebb.gateway.connections.unauthenticated")).isZero();
  }

  @Test
  void beyondTheCapClientsAreToldSo() throws Exception {
    gateway = new GatewayFixture(directory, c -> c.withMaxUnauthenticated(3));
    var silent = new ArrayList<RawClient>();
    try (var established = RawClient.login(gateway.port, "app", RealPostgres.PASSWORD, "shop")) {
      for (int i = 0; i < 3; i++) {
        silent.add(RawClient.connect(gateway.port));
      }
      Await.until(
          "the connections", () -> gateway.gauge("ebb.gateway.connections.unauthenticated") == 3);
      assertThat(gateway.psql("SELECT 1").output()).contains("too many clients already");
      established.query("SELECT 'still here'");
      assertThat(established.readUntilReady()).contains("still here");
    } finally {
      for (RawClient client : silent) {
        client.close();
      }
    }
    Await.until("the slots", () -> gateway.gauge("ebb.gateway.connections.unauthenticated") == 0);
    assertOthersWork();
  }

  @Test
  void thousandWrongPasswordsHurtNobody() throws Exception {
    start();
    // Who has never logged in from an address that so many fail at is kept out.
    assertOthersWork();
    try (var threads = Executors.newFixedThreadPool(20)) {
      var attempts = new ArrayList<CompletableFuture<String>>();
      for (int i = 0; i < 1_000; i++) {
        attempts.add(CompletableFuture.supplyAsync(this::wrongPassword, threads));
      }
      for (int i = 0; i < 20; i++) {
        assertOthersWork();
      }
      for (CompletableFuture<String> attempt : attempts) {
        assertThat(attempt.get()).contains("password authentication failed");
      }
    }
    assertOthersWork();
    assertThat(gateway.gauge("ebb.gateway.connections.unauthenticated")).isZero();
  }

  private String wrongPassword() {
    try (var client = RawClient.connect(gateway.port)) {
      client.startup("app", "shop");
      client.authenticate("wrong");
      return "logged in";
    } catch (Exception e) {
      return String.valueOf(e.getMessage());
    }
  }

  @Test
  void tlsThatComesFirstNeedsItsApplicationProtocol() throws Exception {
    start();
    var trustAll = javax.net.ssl.SSLContext.getInstance("TLS");
    trustAll.init(null, new javax.net.ssl.TrustManager[] {new TrustAll()}, null);
    var factory = trustAll.getSocketFactory();
    try (var socket = (javax.net.ssl.SSLSocket) factory.createSocket("127.0.0.1", gateway.port)) {
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"postgresql"});
      socket.setSSLParameters(parameters);
      socket.startHandshake();
      assertThat(socket.getApplicationProtocol()).isEqualTo("postgresql");
      socket.getOutputStream().write(startup(10_005));
      assertThat(socket.getInputStream().read()).isEqualTo('E');
    }
    try (var socket = (javax.net.ssl.SSLSocket) factory.createSocket("127.0.0.1", gateway.port)) {
      socket.startHandshake();
      assertThat(
              new String(
                  socket.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8))
          .contains("needs the application protocol");
    }
  }

  private static final class TrustAll implements javax.net.ssl.X509TrustManager {
    @Override
    public void checkClientTrusted(java.security.cert.X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(java.security.cert.X509Certificate[] chain, String type) {}

    @Override
    public java.security.cert.X509Certificate[] getAcceptedIssuers() {
      return new java.security.cert.X509Certificate[0];
    }
  }
}
