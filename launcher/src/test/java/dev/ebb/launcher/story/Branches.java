package dev.ebb.launcher.story;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The branches of one database, over HTTP. */
record Branches(Server server, String database) {

  private String path(String rest) {
    return "/v1/databases/" + database + "/branches" + rest;
  }

  private Object send(String method, String rest, @Nullable Map<String, ?> body)
      throws IOException, ApiException {
    Object answer = server.api().send(method, path(rest), body);
    return answer == null ? Map.of() : answer;
  }

  Database create(Database of, String name) throws IOException, ApiException {
    return create(of, name, "main", null);
  }

  Database create(Database of, String name, String from, @Nullable String at)
      throws IOException, ApiException {
    var body = new LinkedHashMap<String, Object>();
    body.put("name", name);
    body.put("from", from);
    if (at != null) {
      body.put("at", at);
    }
    send("POST", "", body);
    return of.at(name);
  }

  void drop(String name, boolean force) throws IOException, ApiException {
    send("DELETE", "/" + ApiClient.element(name) + (force ? "?force=true" : ""), null);
  }

  void rename(String name, String to) throws IOException, ApiException {
    send("POST", "/" + name + "/rename", Map.of("name", to));
  }

  void protect(String name) throws IOException, ApiException {
    send("POST", "/" + name + "/protect", null);
  }

  void reset(String name) throws IOException, ApiException {
    send("POST", "/" + name + "/reset", null);
  }

  /** Gives the name of what it was. */
  String restore(String name, String at) throws IOException, ApiException {
    Object answer = send("POST", "/" + name + "/restore", Map.of("at", at));
    return String.valueOf(((Map<?, ?>) answer).get("keptAs"));
  }

  /** A field of a listed branch as text; empty where it has none. */
  String field(String name, String key) throws IOException, ApiException {
    Map<?, ?> branch = list().get(name);
    Object value = branch == null ? null : branch.get(key);
    return value == null ? "" : value.toString();
  }

  /** By name. */
  Map<String, Map<?, ?>> list() throws IOException, ApiException {
    var branches = new TreeMap<String, Map<?, ?>>();
    if (send("GET", "", null) instanceof Map<?, ?> answer
        && answer.get("branches") instanceof List<?> listed) {
      for (Object item : listed) {
        var branch = (Map<?, ?>) item;
        branches.put(String.valueOf(branch.get("name")), branch);
      }
    }
    return branches;
  }
}
