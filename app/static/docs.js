// Starts the browsable documentation on the page /docs.
"use strict";
window.addEventListener("load", () => {
  window.SwaggerUIBundle({
    url: "/api/v1/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    persistAuthorization: true,
    tryItOutEnabled: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    syntaxHighlight: { theme: "nord" },
    validatorUrl: null,
  });
});
