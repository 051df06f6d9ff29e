import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const typescript = ['**/*.ts'];
const tests = ['test/**/*.ts'];
/** The composition level: where the environment comes in and may be handed on. */
const mains = [
  'src/main.ts',
  'src/server.ts',
  'src/worker.ts',
  'src/demo.ts',
  'src/sureshot.ts',
  'src/emulator/main.ts',
];

const environment = {
  object: 'process',
  property: 'env',
  message: 'src/config.ts reads the environment; what needs it gets it passed.',
};

const noEnum = {
  selector: 'TSEnumDeclaration',
  message: 'Use a union of string literals or an `as const` table.',
};
const noClass = {
  selector: 'ClassDeclaration[superClass=null], ClassExpression',
  message: 'No classes but errors.',
};
const abbreviations = '/^(req|res|ctx|opts|cfg|msg)$/';
// of our own naming only: members may be called what a provider's wire calls them
const noAbbreviation = {
  selector: `:matches(VariableDeclarator > .id, :function > .params, AssignmentPattern > .left, ObjectPattern > Property > .value)[name=${abbreviations}]`,
  message: 'Write the word out.',
};
const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only.',
};
const noLostTimeout = {
  selector:
    'CallExpression[callee.object.name="AbortSignal"][callee.property.name="any"] CallExpression[callee.object.name="AbortSignal"][callee.property.name="timeout"]',
  message: 'A timeout inside AbortSignal.any may be collected before it fires: withDeadline or startDeadline.',
};

const house = [noEnum, noAbbreviation, noLostTimeout];

const testNames = '/^(test|it|describe|xtest|xit|xdescribe|ftest|fit|fdescribe)$/';
const testRules = [
  {
    selector: `MemberExpression[object.name=${testNames}][property.name=/^(only|skip|todo|failing)$/]`,
    message: 'No focused and no disabled tests.',
  },
  {
    selector: 'CallExpression[callee.name=/^(xtest|xit|xdescribe|ftest|fit|fdescribe)$/]',
    message: 'No focused and no disabled tests.',
  },
  {
    selector: 'CallExpression[callee.name=/^(test|it)$/] > Literal.arguments:first-child[value=/\\bshould\\b/i]',
    message: 'A test name is a sentence in the present tense, without "should".',
  },
  {
    selector: 'CallExpression[callee.object.name="jest"][callee.property.name=/^(mock|doMock|unstable_mockModule)$/]',
    message: 'Fakes only at the edges: our own modules are never mocked.',
  },
];

const size = (file, fn) => ({
  'max-lines': ['error', { max: file, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: fn, skipBlankLines: true, skipComments: true }],
});

export default defineConfig(
  globalIgnores(['dist', 'coverage', '.sureshot', 'src/stores/generated', '**/fixtures']),
  {
    files: typescript,
    plugins: { '@typescript-eslint': tseslint.plugin },
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': [
        'error',
        // an SDK that is loaded on first use is named by `import('sdk')` types
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],
      complexity: ['error', 10],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-params': ['error', 3],
      'no-console': 'error',
      'no-param-reassign': 'error',
      'no-restricted-properties': ['error', environment],
      'no-restricted-syntax': ['error', ...house, noClass, noDefaultExport],
      'object-shorthand': 'error',
      'prefer-const': 'error',
      ...size(300, 60),
    },
  },
  { files: ['src/config.ts', ...mains], rules: { 'no-restricted-properties': 'off' } },
  { files: ['src/emulator/main.ts', 'src/demo.ts', 'src/build-workflows.ts'], rules: { 'no-console': 'off' } },
  {
    files: tests,
    rules: {
      // answers come as `any`; expectations check them
      ...Object.fromEntries(
        ['argument', 'assignment', 'call', 'member-access', 'return'].map((use) => [
          `@typescript-eslint/no-unsafe-${use}`,
          'off',
        ]),
      ),
      // the suite of a contract is one function, the columns of a table are its parameters
      ...size(400, 250),
      'max-params': ['error', 5],
      'no-restricted-properties': 'off',
      'no-restricted-syntax': ['error', ...house, noDefaultExport, ...testRules],
    },
  },
  {
    files: ['bench/**/*.ts', 'test/replay/export-history.ts'],
    rules: { 'no-console': 'off', 'no-restricted-properties': 'off' },
  },
  // a tool asks for a default export
  {
    files: ['*.config.ts', 'test/support/global-{setup,teardown}.ts', '**/*.d.ts'],
    rules: { 'no-restricted-syntax': ['error', ...house] },
  },
);
