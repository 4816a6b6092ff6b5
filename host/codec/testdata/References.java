// Reads files as the libraries of Java do: a line of JSON for each file on stdin,
// {"reader": NAME, "data": BASE64}, and one for each on stdout, {"values": ...} or
// {"error": ...}. The values are triples of texts.
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.Node;

class References {
    public static void main(String[] args) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, true, StandardCharsets.US_ASCII);
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                byte[] data = Base64.getDecoder().decode(field(line, "data"));
                answer = "{\"values\":" + json(read(field(line, "reader"), data)) + "}";
            } catch (Exception e) {
                answer = "{\"error\":\"" + e.getClass().getSimpleName() + "\"}";
            }
            out.println(answer);
        }
    }

    static List<String[]> read(String reader, byte[] data) throws Exception {
        var values = new ArrayList<String[]>();
        switch (reader) {
            case "properties": // as Gradle, sbt and coursier load them
            case "properties-utf8":
                var p = new Properties();
                if (reader.equals("properties")) {
                    p.load(new ByteArrayInputStream(data));
                } else {
                    p.load(new InputStreamReader(new ByteArrayInputStream(data), StandardCharsets.UTF_8));
                }
                for (String key : p.stringPropertyNames()) {
                    values.add(new String[] {"", key, p.getProperty(key)});
                }
                return values;
            case "xml":
                DocumentBuilder b = DocumentBuilderFactory.newInstance().newDocumentBuilder();
                b.setErrorHandler(null);
                b.setEntityResolver((publicId, systemId) -> { throw new java.io.IOException("an entity"); });
                walk(b.parse(new ByteArrayInputStream(data)).getDocumentElement(), "", values);
                return values;
        }
        throw new IllegalArgumentException(reader);
    }

    // walk adds the attributes and the text of an element and of those in it.
    static void walk(Node n, String above, List<String[]> values) {
        String path = above + "/" + n.getNodeName();
        NamedNodeMap attributes = n.getAttributes();
        for (int i = 0; i < attributes.getLength(); i++) {
            values.add(new String[] {path, "@" + attributes.item(i).getNodeName(), attributes.item(i).getNodeValue()});
        }
        boolean leaf = true;
        for (Node c = n.getFirstChild(); c != null; c = c.getNextSibling()) {
            if (c.getNodeType() == Node.ELEMENT_NODE) {
                leaf = false;
                walk(c, path, values);
            }
        }
        if (leaf) {
            values.add(new String[] {path, "", n.getTextContent()});
        }
    }

    static String field(String line, String name) {
        int at = line.indexOf("\"" + name + "\":\"") + name.length() + 4;
        return line.substring(at, line.indexOf('"', at));
    }

    static String json(List<String[]> values) {
        var b = new StringBuilder("[");
        for (String[] triple : values) {
            b.append(b.length() > 1 ? ",[" : "[");
            for (int i = 0; i < triple.length; i++) {
                b.append(i > 0 ? ",\"" : "\"");
                for (char c : triple[i].toCharArray()) {
                    if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                        b.append(String.format("\\u%04x", (int) c));
                    } else {
                        b.append(c);
                    }
                }
                b.append('"');
            }
            b.append(']');
        }
        return b.append(']').toString();
    }
}
